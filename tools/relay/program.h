// One run of fireline-relay: set-up with privileges, then one thread that relays and serves HTTP, until a signal.
//
//   signals, HTTP, statistics ── io::EventLoop ──┐
//   control and allocation sockets ──────────────┴── RelayLoop ⇄ Server        log: a thread of its own
//
// Exit code: 0 after a signal, 1 when the start failed, with one sentence on standard error.
#pragma once

namespace fireline::relay {

// The whole of main().
[[nodiscard]] int run_relay(int argc, const char* const* argv);

}  // namespace fireline::relay
