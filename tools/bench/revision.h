// The commit this program was built from, as `git describe` has it: "-dirty" behind it when the tree held more;
// "unknown" outside of a repository.
#pragma once

namespace fireline::bench {

extern const char* const kRevision;

}  // namespace fireline::bench
