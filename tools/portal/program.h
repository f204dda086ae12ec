// fireline-portal as a process: files, listeners, signals, and the control plane between them.
#pragma once

namespace fireline::portal_tool {

// The exit code.
[[nodiscard]] int run_portal(int argc, const char* const* argv);

}  // namespace fireline::portal_tool
