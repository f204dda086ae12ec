// Tells the service manager how far the program is: sd_notify(3)'s protocol, one datagram per state. Spoken here and
// not through libsystemd, which would bring five compression and crypto libraries into every process for it.
// Lifetime: self-contained. Threads: take_environment() before any other thread exists; the rest on any, one at a time.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "platform/linux/host_error.h"

namespace fireline::platform {

class ServiceNotify {
 public:
  // Reads NOTIFY_SOCKET and removes it, so that no child speaks in our name. Without it every call does nothing.
  [[nodiscard]] static ServiceNotify take_environment();
  explicit ServiceNotify(std::string socket) noexcept : socket_(std::move(socket)) {}

  [[nodiscard]] bool active() const noexcept { return !socket_.empty(); }
  // When the tunnel is usable, not before.
  [[nodiscard]] std::optional<HostError> ready() const { return send("READY=1"); }
  // The configuration is read again; ready() ends it.
  [[nodiscard]] std::optional<HostError> reloading() const;
  [[nodiscard]] std::optional<HostError> stopping() const { return send("STOPPING=1"); }
  // One line for `systemctl status`.
  [[nodiscard]] std::optional<HostError> status(std::string_view line) const;

 private:
  [[nodiscard]] std::optional<HostError> send(std::string_view state) const;

  std::string socket_;  // a path, or an abstract name behind '@'
};

}  // namespace fireline::platform
