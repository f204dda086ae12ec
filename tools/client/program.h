// One run of fireline-client: tools/tunnel/program_base.h with the client's engine and reactions. Beside signals it
// watches the network under it (a roam), the LAN's routes, and tells the service manager.
//
// Threads: everything on the calling thread, the control thread; the tunnel and the WebSocket start others.
#pragma once

namespace fireline::client {

// The whole of main(). The exit code: 0 after a signal, 1 for what is fatal, 2 for a mistake in its use.
[[nodiscard]] int run_command(int argc, const char* const* argv);

}  // namespace fireline::client
