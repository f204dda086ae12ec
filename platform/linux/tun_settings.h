// Addresses, MTU, queue length and state of the tunnel interface: "set addresses" of platform specification 2.3.
// No state; blocks until the kernel has answered, which it does at once. Threads: any, one at a time for one interface;
// works in the calling thread's network namespace. Needs CAP_NET_ADMIN.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "platform/linux/host_error.h"

namespace fireline::platform {

inline constexpr std::uint32_t kTunnelMtu = 1280;  // the longest packet that the tunnel carries: IPv6's minimum
// The kernel's 500 dropped bursts over paths of 20 ms; this many hold 10 Gbit/s of full packets for 10 ms.
inline constexpr std::uint32_t kTunnelQueuePackets = 10'000;

// Which address families work on the interface; routes, rules and listeners are for these alone.
struct WorkingFamilies {
  bool v4 = false;
  bool v6 = false;

  [[nodiscard]] bool has(Family family) const noexcept { return family == Family::v4 ? v4 : v6; }
  friend bool operator==(const WorkingFamilies&, const WorkingFamilies&) = default;
};

struct TunnelAddresses {
  std::optional<IpAddress> v4;  // given a /32
  std::optional<IpAddress> v6;  // given a /128
};

struct AppliedAddresses {
  WorkingFamilies families;
  std::vector<std::string> warnings;  // one sentence for each family that does not work though it was asked for
};

// In this order: no generated link-local addresses, all other addresses deleted, MTU, IPv4, IPv6, link up. It succeeds
// if at least one family did. An address that is there already stays, and the routes with it. When another takes its
// place the kernel drops every route through the interface (deleting the last IPv4 address does that, in all tables):
// set all routes again afterwards. Idempotent.
[[nodiscard]] Result<AppliedAddresses, HostError> set_addresses(const std::string& interface,
                                                                const TunnelAddresses& addresses,
                                                                std::uint32_t mtu = kTunnelMtu);
// Those that the interface does not have. Error: errno.
[[nodiscard]] Result<std::vector<IpAddress>, int> missing_addresses(const std::string& interface,
                                                                    const TunnelAddresses& addresses);

// Never worth more than a warning.
[[nodiscard]] std::optional<HostError> set_queue_length(const std::string& interface,
                                                        std::uint32_t packets = kTunnelQueuePackets);

}  // namespace fireline::platform
