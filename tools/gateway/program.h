// One run of fireline-gateway.
//
//   portal ─ PortalSession ┐                            ┌── LineServer  status socket
//   signals, addresses ────┤  EventLoop (control)  ─────┼── HttpServer  /healthz, /readyz
//                          └── Reactions ── Tunnel<Gateway>, HostNetwork
//
// Threads: everything on the calling thread, the control thread; the tunnel and the WebSocket start others.
#pragma once

namespace fireline::gateway {

// The whole of main(). The exit code: 0 after a signal, 1 for what is fatal, 2 for a mistake in its use.
[[nodiscard]] int run_command(int argc, const char* const* argv);

}  // namespace fireline::gateway
