// When allocations, channels and permissions begin and end, and what the host must do then. All deadlines are in one
// heap:
//   allocation  expires                          deleted with its channels
//   channel     expires, bound for 600 s         cools down: forwards nothing, keeps number and peer taken
//               expires + 300 s                  gone
//   permission  expires, 300 s                   gone; its channels stop forwarding (--auth static alone)
// A deadline that lies in the past is served at once. Data extends nothing.
// Order towards the host: withdraw all channels of an allocation, then close its port.
//
// A Refresh or a permission moves the end of up to 4,096 channels. The host is told of them a few at a time (limits.h,
// kReviewInterval), allocations in turn: a later end before the one it knows has come, unless the request came within
// that time of it; of an end that lies earlier as soon as it may, and what ends by then is withdrawn in time anyway.
// Threads: one owner. Source: relay specification section 1.8; RFC 8656 sections 8, 9 and 12.
#pragma once
#include <cstdint>
#include <optional>

#include "core/base/counters.h"
#include "core/base/deadline_heap.h"
#include "relay/protocol/answer_limiter.h"
#include "relay/protocol/host.h"
#include "relay/protocol/peer_rules.h"
#include "relay/protocol/port_pool.h"
#include "relay/protocol/registry.h"
#include "relay/protocol/server_counters.h"

namespace fireline::relay {

class Lifetimes {
 public:
  // `permissions`: channels forward only while there is a permission for their peer.
  Lifetimes(Registry& registry, PortPool& ports, Host& host, Counters<ServerCounter>& counters,
            bool permissions) noexcept
      : registry_(registry), ports_(ports), host_(host), counters_(counters), permissions_(permissions) {}

  // Draws ports until the host can bind one. kNoRecord: none is left, or the host has no more sockets.
  [[nodiscard]] std::uint32_t create_allocation(Instant now, const Endpoint& client, Families families,
                                                std::string_view username, std::uint32_t lifetime_seconds);
  void refresh_allocation(Instant now, std::uint32_t number, std::uint32_t lifetime_seconds);
  // `why`: allocation_deleted or allocation_expired.
  void delete_allocation(std::uint32_t number, EventKind why);

  // Binds anew, refreshes or revives. False: the host's fast path is full; everything is as it was before. With
  // permissions a channel that is bound is refreshed all the same, and stays in user space.
  [[nodiscard]] bool bind_channel(Instant now, std::uint32_t allocation, std::uint16_t channel, const Endpoint& peer);
  // Installs or refreshes.
  void permit(Instant now, std::uint32_t allocation, const IpAddress& peer);

  // The client pads the channel's data, which the fast path leaves to user space: all of it goes there from now on, so
  // that its datagrams stay in order. Once for each channel.
  void keep_in_user_space(std::uint32_t channel);

  // Removes channels and permissions of peers that the rules refuse, without cool-down.
  void apply(const PeerRules& rules);

  // Serves every deadline that has come, and some of the channels that the host must hear of.
  void expire(Instant now);
  [[nodiscard]] std::optional<Instant> next() const noexcept;

  [[nodiscard]] std::size_t unusable_ports() const noexcept { return unusable_ports_; }

 private:
  void expire_channel(std::uint32_t number);
  void delete_channel(std::uint32_t number);
  void end_permission(std::uint32_t number);
  // The channels of that peer address follow its permission. Those that get it are offered by the next review.
  void set_permitted(std::uint16_t port, const IpAddress& peer, bool permitted);
  // All channels of the allocation are looked at from here on: offered again where what the host knows does not hold.
  void review(Instant now, std::uint32_t allocation);
  void review_some(Instant now);
  void review_next(Instant now, Allocation& allocation);
  [[nodiscard]] ChannelBinding binding_of(const Channel& channel) const;
  [[nodiscard]] bool offer(Channel& channel);
  // When what the host was told is not what is true.
  void offer_again(Channel& channel);
  void withdraw(Channel& channel);
  void report(EventKind kind, const Channel& channel);

  Registry& registry_;
  PortPool& ports_;
  Host& host_;
  Counters<ServerCounter>& counters_;
  bool permissions_;
  DeadlineHeap<Timer> deadlines_;
  DeadlineHeap<Timer> reviews_;  // allocations by how long they wait for their turn
  AnswerPace review_pace_;       // of the host's work, all allocations together
  std::size_t unusable_ports_ = 0;
};

}  // namespace fireline::relay
