// The commit this program was built from: eight hex digits, "xxxx" outside of a repository.
#pragma once

namespace fireline::relay {

extern const char* const kRevision;

}  // namespace fireline::relay
