#include "tools/relay/revision.h"

namespace fireline::relay {

const char* const kRevision = FIRELINE_REVISION;

}  // namespace fireline::relay
