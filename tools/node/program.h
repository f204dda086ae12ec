// One run of fireline-lab-node: a node between a TUN device and UDP sockets, told by files what a portal would tell.
//
//   rendezvous file ── ids, keys, relays ──┐
//   FILE.d/ ── Exchange ── candidates ─────┤  EventLoop (control)  ├── LineServer  STATE/TUN.sock
//   signals, ICMP errors, timers ──────────┘          │
//                              TUN thread ⇄ packet thread: node ⇄ UDP threads (io/data_plane.h)
//
// A client writes its intent, both ends upsert, candidates follow as they are gathered. SIGHUP makes a client go
// through a network reset: new sockets, new key, a new intent. Threads: everything on the calling thread, the control
// thread; the data plane starts the others.
#pragma once
#include "tools/node/options.h"

namespace fireline::lab {

// The exit code: 0 after a signal, 1 when the start failed or the interface went away. Says so on standard error or in
// the log.
[[nodiscard]] int run_node(const Options& options);

// The whole of main(): options, --ask, log, run.
[[nodiscard]] int run_command(int argc, const char* const* argv);

}  // namespace fireline::lab
