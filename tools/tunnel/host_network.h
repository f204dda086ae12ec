// What the portal's addresses and routes do to this host. HostNetwork is the seam, LinuxHostNetwork the real one.
//
// Addresses come first: the kernel may drop routes with them, so that set_routes() follows set_addresses() each time.
// What is wrong with a single route or family is logged; an error is one sentence and means that there is no tunnel.
// Lifetime: the interface exists. Threads: the control thread's.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/base/time.h"

namespace fireline::tunnel {

inline constexpr Duration kRestoreDelayMin = std::chrono::seconds(1);
inline constexpr Duration kRestoreDelayMax = std::chrono::seconds(64);

class HostNetwork {
 public:
  virtual ~HostNetwork() = default;

  [[nodiscard]] virtual Result<void, std::string> set_addresses(const IpAddress& ipv4, const IpAddress& ipv6) = 0;
  [[nodiscard]] virtual Result<void, std::string> set_routes(const std::vector<Prefix>& routes) = 0;
  // Behind changes of the host's links, addresses and routes, and at poll_timeout(): sets again what was set last when
  // some of it is gone, as after `ip link set … down`; nothing before it was set. What comes of it brings such changes
  // itself: what the host refuses, or has no descriptor for, is tried at poll_timeout() alone, which comes later each
  // time, from kRestoreDelayMin to kRestoreDelayMax.
  [[nodiscard]] virtual Result<void, std::string> restore(Instant now) = 0;
  [[nodiscard]] virtual std::optional<Instant> poll_timeout() const noexcept = 0;
};

// Clears what an earlier run left in the routing tables. The error is one sentence.
[[nodiscard]] Result<std::unique_ptr<HostNetwork>, std::string> make_linux_host_network(const std::string& interface);

}  // namespace fireline::tunnel
