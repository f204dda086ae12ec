// One run of fireline-client.
//
//   portal ─ PortalSession ┐                            ┌── LineServer  status socket
//   signals, network ──────┤  EventLoop (control)  ─────┤
//                          └── Reactions ── Tunnel<Client>, HostNetwork, service manager
//
// Threads: everything on the calling thread, the control thread; the tunnel and the WebSocket start others.
#pragma once

namespace fireline::client {

// The whole of main(). The exit code: 0 after a signal, 1 for what is fatal, 2 for a mistake in its use.
[[nodiscard]] int run_command(int argc, const char* const* argv);

}  // namespace fireline::client
