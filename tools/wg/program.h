// One run of fireline-wg: makes the device, serves its sockets, ends on a signal, on the removal of the interface or of
// the configuration socket, or when the device fails.
//
//   kernel ── LinkMonitor ──┐                       ┌── UapiServer    /var/run/wireguard/INTERFACE.sock
//   signals ── signalfd ────┤  EventLoop (control)  ├── LineServer    /var/run/fireline/INTERFACE.sock
//                           └──── WgBackend& ───────┴── HttpServer    --metrics
//
// Threads: everything on the calling thread, the control thread; the backend starts the others.
#pragma once
#include "platform/linux/link_monitor.h"
#include "platform/linux/service_notify.h"
#include "tools/wg/daemonize.h"
#include "tools/wg/options.h"
#include "tools/wg/status_server.h"
#include "tools/wg/uapi_server.h"
#include "tools/wg/wg_backend.h"

namespace fireline::wg {

struct Directories {
  std::string uapi = UapiServer::kDirectory;
  std::string status = kStatusDirectory;
};

// The exit code: 0 after an orderly end, 1 when the start or the device failed. Says so through the notice or the log.
// `links` hears of the interface; `manager` is told when all is there and when it ends.
[[nodiscard]] int run_program(const Options& options, StartNotice notice, BackendFactory make_backend,
                              platform::LinkSocket links, platform::ServiceNotify manager,
                              const Directories& directories = {});

// The whole of main(): options, --status, background, log, run.
[[nodiscard]] int run_command(int argc, const char* const* argv, BackendFactory make_backend);

}  // namespace fireline::wg
