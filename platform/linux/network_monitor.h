// Tells a client that the network under its tunnels is another one: it roamed, and its session has to be reset
// (platform specification 3.5, 6.8 and 7.3), whatever network manager the host has, or none.
//
// The network is what the kernel would use without us: the best default route of each family in the main table with its
// router, and the lasting addresses of its interface (no temporary, deprecated or tentative ones: those change by
// themselves). A family without a default route counts with the addresses of the other one's interface, and of all that
// are up when there is no default route at all: what containers bring is none of it. Our TUN and our tables are not
// part of it. A change counts when the network differs from the one reported last, after a pause in the events; renewed
// leases and router advertisements change nothing. While an address of it is tentative, which IPv6 ones are for a
// second or two behind a cable that was plugged in, the change waits for it: one change, one reset.
//
// Time is an argument. Lifetime: self-contained. Threads: one at a time; a look blocks until the kernel has answered.
#pragma once
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "platform/linux/debounce.h"
#include "platform/linux/netlink_events.h"
#include "platform/linux/netlink_query.h"

namespace fireline::platform {

// What is used in one family.
struct NetworkPath {
  std::uint32_t interface = 0;       // of the default route; 0: there is none
  std::optional<IpAddress> gateway;  // none on a point-to-point link
  std::vector<IpAddress> addresses;  // sorted

  friend bool operator==(const NetworkPath&, const NetworkPath&) = default;
};

struct NetworkState {
  NetworkPath v4;
  NetworkPath v6;

  // Some address to send from.
  [[nodiscard]] bool online() const noexcept { return !v4.addresses.empty() || !v6.addresses.empty(); }
  friend bool operator==(const NetworkState&, const NetworkState&) = default;
};

struct NetworkChange {
  bool online = false;   // false: the network is gone; a reset would help nobody until the next change
  std::string sentence;  // "the network changed: default route via 192.0.2.1 on eth0, ...": for a log
};

class NetworkMonitor {
 public:
  static constexpr Duration kQuiet = std::chrono::milliseconds(500);
  static constexpr Duration kLongest = std::chrono::seconds(5);
  // For tentative addresses: duplicate detection takes at most two seconds as the kernel does it by itself.
  static constexpr Duration kSettling = std::chrono::milliseconds(2500);

  // `own_interface` need not exist yet. Reads the present state before it returns.
  [[nodiscard]] static Result<NetworkMonitor, HostError> open(std::string own_interface);

  [[nodiscard]] int fd() const noexcept { return events_.fd(); }
  // The descriptor is readable. Error: the kernel can no longer be heard.
  [[nodiscard]] std::optional<HostError> handle_readable(Instant now);
  [[nodiscard]] std::optional<Instant> poll_timeout() const noexcept { return debounce_.deadline(); }
  // A change when one was due and the network is another one.
  [[nodiscard]] std::optional<NetworkChange> handle_timeout(Instant now);
  // Somebody else noticed: the present network is the one that changes are told of from here on.
  void accept();
  // As last reported or accepted.
  [[nodiscard]] const NetworkState& state() const noexcept { return state_; }

 private:
  NetworkMonitor(std::string own_interface, NetlinkEvents events, NetlinkQuery query) noexcept;
  struct View {
    NetworkState state;
    bool settled = true;  // no address that would be one of it is tentative
  };
  [[nodiscard]] Result<View, HostError> look();

  std::string own_interface_;
  NetlinkEvents events_;
  NetlinkQuery query_;
  Debounce debounce_{kQuiet, kLongest};
  NetworkState state_;
  std::optional<Instant> unsettled_until_;  // a change waits
};

}  // namespace fireline::platform
