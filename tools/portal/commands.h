// The subcommands beside the portal itself, from options to exit code: what they found goes to standard output, what is
// wrong in one sentence to standard error. Threads: one.
#pragma once
#include "tools/portal/options.h"

namespace fireline::portal_tool {

// Any command but Command::run.
[[nodiscard]] int run_subcommand(const Options& options);

}  // namespace fireline::portal_tool
