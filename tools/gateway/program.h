// One run of fireline-gateway: tools/tunnel/program_base.h with the gateway's engine and reactions. Beside signals it
// watches the host's addresses, and answers health checks over HTTP.
//
// Threads: everything on the calling thread, the control thread; the tunnel and the WebSocket start others.
#pragma once

namespace fireline::gateway {

// The whole of main(). The exit code: 0 after a signal, 1 for what is fatal, 2 for a mistake in its use.
[[nodiscard]] int run_command(int argc, const char* const* argv);

}  // namespace fireline::gateway
