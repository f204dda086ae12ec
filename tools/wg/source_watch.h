// Which sticky sources (connectivity specification 4.3) a change of routes has made wrong: those of peers to whom
// packets leave by another interface now. Whoever answers from an address of an interface that the packet does not use
// is not heard again where providers drop foreign sources. The kernel's WireGuard looks at the route of each packet;
// here the kernel is asked when routes, addresses or links have changed, as wireguard-go does it.
//
// Lifetime: the loop outlives it. Threads: the loop's. Limits: a look blocks the loop for some microseconds a peer;
// behind it comes a pause of kPauseFactor times as long, for tables of busy routers change all the time.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/wireguard/device.h"
#include "io/event_loop.h"
#include "platform/linux/netlink_events.h"
#include "platform/linux/netlink_query.h"

namespace fireline::wg {

class SourceWatch {
 public:
  static constexpr Duration kQuiet = std::chrono::milliseconds(100);  // of changes seldom one comes alone
  static constexpr int kPauseFactor = 20;

  // `changed` is called from the loop, never from within start(). The error is one sentence.
  [[nodiscard]] static Result<std::unique_ptr<SourceWatch>, std::string> start(io::EventLoop& loop,
                                                                               std::function<void()> changed);
  ~SourceWatch();
  SourceWatch(const SourceWatch&) = delete;
  SourceWatch& operator=(const SourceWatch&) = delete;

  // Those whose packets leave by another interface than the one that the peer's last packet came in by.
  [[nodiscard]] std::vector<wireguard::StickySource> moved(std::span<const wireguard::StickySource> sources,
                                                           std::uint32_t mark);

 private:
  SourceWatch(io::EventLoop& loop, platform::NetlinkEvents events, platform::NetlinkQuery query,
              std::function<void()> changed) noexcept
      : loop_(loop), events_(std::move(events)), query_(std::move(query)), changed_(std::move(changed)) {}
  void on_event();
  void look();

  io::EventLoop& loop_;
  platform::NetlinkEvents events_;
  platform::NetlinkQuery query_;
  std::function<void()> changed_;
  io::EventLoop::Id watch_ = io::EventLoop::Id::none;
  io::EventLoop::Id timer_ = io::EventLoop::Id::none;
  Instant not_before_{};
};

}  // namespace fireline::wg
