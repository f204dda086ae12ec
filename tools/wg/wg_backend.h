// The seam between fireline-wg's control sockets and the device behind them.
//
// Lifetime: the backend outlives the servers that call it, and the loop outlives the backend.
// Threads: all calls come from the control thread, inside a turn of its loop. A backend whose device lives on another
// thread answers from there; it may wait for that answer, for at most a second.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/wireguard/configuration.h"
#include "io/event_loop.h"
#include "tools/wg/options.h"
#include "tools/wg/status.h"
#include "tools/wg/uapi.h"

namespace fireline::wg {

class WgBackend {
 public:
  virtual ~WgBackend() = default;

  // All or nothing: sockets (listen_port, fwmark) first, for they can fail, then keys and peers. Except ENOMEM: a limit
  // of the device is reached, and what is beyond it was left out.
  // The error's code goes to the client as errno, the sentence to the log.
  [[nodiscard]] virtual std::optional<UapiError> apply(const wireguard::DeviceUpdate& update) = 0;
  [[nodiscard]] virtual InterfaceStatus status() = 0;
  [[nodiscard]] virtual StatusReport report() = 0;

  // What happened to the interface. It starts down, with the MTU it was created with.
  virtual void link_up() = 0;
  virtual void link_down() = 0;
  virtual void mtu_changed(std::uint16_t mtu) = 0;

  // The name that the kernel gave, which is the one asked for.
  [[nodiscard]] virtual const std::string& interface_name() const = 0;
};

// Makes the device: creates the interface, opens what it needs, starts its threads (signals are blocked by then).
// `removed` may be called later, from the loop's thread: the interface is gone, and the program ends.
// The error is one sentence for the person who started the program.
using BackendFactory = std::move_only_function<Result<std::unique_ptr<WgBackend>, std::string>(
    const Options& options, io::EventLoop& loop, std::move_only_function<void()> removed)>;

}  // namespace fireline::wg
