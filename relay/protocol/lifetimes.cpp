#include "relay/protocol/lifetimes.h"

#include <algorithm>
#include <cstdlib>

#include "relay/protocol/limits.h"

namespace fireline::relay {

std::uint32_t Lifetimes::create_allocation(Instant now, const Endpoint& client, Families families,
                                           std::string_view username, std::uint32_t lifetime_seconds) {
  for (;;) {
    const auto port = ports_.draw();
    if (!port) {
      counters_.add(ServerCounter::limit_allocations);
      return kNoRecord;
    }
    const Host::Opened opened = host_.open_port(*port, families);
    if (opened == Host::Opened::unusable) {
      ++unusable_ports_;
      counters_.add(ServerCounter::ports_unusable);
      continue;
    }
    if (opened == Host::Opened::exhausted) {
      ports_.give_back(*port);
      counters_.add(ServerCounter::limit_sockets);
      return kNoRecord;
    }
    const std::uint32_t number = registry_.add_allocation(client, *port, families, username);
    Allocation& allocation = registry_.allocation(number);
    allocation.expires = now + std::chrono::seconds(lifetime_seconds);
    deadlines_.set(allocation.timer, allocation.expires);
    counters_.add(ServerCounter::allocations_created);
    host_.report({.kind = EventKind::allocation_created,
                  .client = client,
                  .port = *port,
                  .families = families,
                  .lifetime_seconds = lifetime_seconds});
    return number;
  }
}

void Lifetimes::refresh_allocation(Instant now, std::uint32_t number, std::uint32_t lifetime_seconds) {
  Allocation& allocation = registry_.allocation(number);
  allocation.expires = now + std::chrono::seconds(lifetime_seconds);
  deadlines_.set(allocation.timer, allocation.expires);
  review(now, number);
  host_.report({.kind = EventKind::allocation_refreshed,
                .client = allocation.client,
                .port = allocation.port,
                .lifetime_seconds = lifetime_seconds});
}

void Lifetimes::delete_allocation(std::uint32_t number, EventKind why) {
  registry_.for_each_channel(number, [&](std::uint32_t channel) { delete_channel(channel); });
  registry_.for_each_permission(number, [&](std::uint32_t permission) {
    deadlines_.remove(registry_.permission(permission).timer);
    registry_.remove_permission(permission);
  });
  Allocation& allocation = registry_.allocation(number);
  const Event event{.kind = why, .client = allocation.client, .port = allocation.port};
  deadlines_.remove(allocation.timer);
  reviews_.remove(allocation.review);
  registry_.remove_allocation(number);
  host_.close_port(event.port);
  ports_.give_back(event.port);
  host_.report(event);
}

bool Lifetimes::bind_channel(Instant now, std::uint32_t allocation, std::uint16_t channel_number,
                             const Endpoint& peer) {
  std::uint32_t number = registry_.find_channel(registry_.allocation(allocation).client, channel_number);
  const bool fresh = number == kNoRecord;
  if (fresh) number = registry_.add_channel(allocation, channel_number, peer);
  Channel& channel = registry_.channel(number);
  const bool was_bound = channel.bound;
  const Instant was_until = channel.expires;

  channel.expires = now + kChannelTime;
  channel.permitted = !permissions_ || registry_.find_permission(channel.port, peer.address) != kNoRecord;
  registry_.set_bound(channel, true);
  // With permissions unknown frames pass to user space, where a channel that is bound goes on.
  const bool may_stay = permissions_ && was_bound;
  if (channel.permitted && !offer(channel) && !may_stay) {
    channel.expires = was_until;
    registry_.set_bound(channel, was_bound);
    if (fresh) registry_.remove_channel(number);
    return false;
  }
  deadlines_.set(channel.timer, channel.expires);
  if (!fresh && !was_bound) counters_.add(ServerCounter::channels_revived);
  report(was_bound ? EventKind::channel_refreshed : EventKind::channel_bound, channel);
  return true;
}

void Lifetimes::permit(Instant now, std::uint32_t allocation, const IpAddress& peer) {
  const std::uint16_t port = registry_.allocation(allocation).port;
  std::uint32_t number = registry_.find_permission(port, peer);
  const bool fresh = number == kNoRecord;
  if (fresh) number = registry_.add_permission(allocation, peer);
  Permission& permission = registry_.permission(number);
  permission.expires = now + kPermissionTime;
  deadlines_.set(permission.timer, permission.expires);
  if (fresh) set_permitted(port, peer, true);
  review(now, allocation);
  if (!fresh) return;
  host_.report({.kind = EventKind::permission_installed,
                .client = registry_.allocation(allocation).client,
                .port = port,
                .peer = {.address = peer}});
}

void Lifetimes::keep_in_user_space(std::uint32_t number) {
  Channel& channel = registry_.channel(number);
  if (channel.padded) return;
  channel.padded = true;
  // Should that fail, there is no entry any more, and what is unknown passes to user space.
  if (channel.offered) static_cast<void>(offer(channel));
}

void Lifetimes::apply(const PeerRules& rules) {
  registry_.for_each_allocation([&](std::uint32_t allocation) {
    registry_.for_each_channel(allocation, [&](std::uint32_t channel) {
      if (rules.refuses(registry_.channel(channel).peer)) delete_channel(channel);
    });
    registry_.for_each_permission(allocation, [&](std::uint32_t permission) {
      if (rules.refuses({.address = registry_.permission(permission).peer})) end_permission(permission);
    });
  });
}

void Lifetimes::expire(Instant now) {
  while (!deadlines_.empty() && deadlines_.top_deadline() <= now) {
    const Timer timer = *deadlines_.top();
    switch (timer.kind) {
      case Timer::Kind::allocation:
        counters_.add(ServerCounter::allocations_expired);
        delete_allocation(timer.number, EventKind::allocation_expired);
        break;
      case Timer::Kind::channel:
        expire_channel(timer.number);
        break;
      case Timer::Kind::permission:
        counters_.add(ServerCounter::permissions_expired);
        end_permission(timer.number);
        break;
      case Timer::Kind::review:
        std::abort();  // is never in this heap
    }
  }
  review_some(now);
}

std::optional<Instant> Lifetimes::next() const noexcept {
  Instant first = deadlines_.empty() ? Instant::max() : deadlines_.top_deadline();
  // Half a burst in one go: fewer wake-ups than channels.
  if (!reviews_.empty()) first = std::min(first, review_pace_.room_at(kReviewInterval, kReviewBurst / 2));
  if (first == Instant::max()) return std::nullopt;
  return first;
}

void Lifetimes::expire_channel(std::uint32_t number) {
  Channel& channel = registry_.channel(number);
  if (!channel.bound) return delete_channel(number);
  withdraw(channel);
  registry_.set_bound(channel, false);
  deadlines_.set(channel.timer, channel.expires + kChannelCoolDown);
  counters_.add(ServerCounter::channels_expired);
  report(EventKind::channel_expired, channel);
}

void Lifetimes::delete_channel(std::uint32_t number) {
  Channel& channel = registry_.channel(number);
  withdraw(channel);
  deadlines_.remove(channel.timer);
  report(EventKind::channel_deleted, channel);
  registry_.remove_channel(number);
}

void Lifetimes::end_permission(std::uint32_t number) {
  Permission& permission = registry_.permission(number);
  set_permitted(permission.port, permission.peer, false);
  deadlines_.remove(permission.timer);
  registry_.remove_permission(number);
}

void Lifetimes::set_permitted(std::uint16_t port, const IpAddress& peer, bool permitted) {
  registry_.for_each_channel_of(port, peer, [&](std::uint32_t number) {
    Channel& channel = registry_.channel(number);
    channel.permitted = permitted;
    if (!permitted) withdraw(channel);
  });
}

void Lifetimes::review(Instant now, std::uint32_t number) {
  Allocation& allocation = registry_.allocation(number);
  if (allocation.channels == 0) return;
  allocation.reviews_left = allocation.channels;
  if (allocation.review.heap_position == kNotInHeap) reviews_.set(allocation.review, now);
  review_some(now);
}

void Lifetimes::review_some(Instant now) {
  const auto has_room = [&] { return review_pace_.has_room(now, kReviewInterval, kReviewBurst); };
  while (!reviews_.empty() && has_room()) {
    Allocation& allocation = registry_.allocation(reviews_.top()->number);
    for (int turn = 0; turn < kReviewTurn && allocation.reviews_left > 0 && has_room(); ++turn) {
      review_next(now, allocation);
    }
    if (allocation.reviews_left == 0) {
      reviews_.remove(allocation.review);
    } else {
      reviews_.set(allocation.review, now);  // behind those that wait
    }
  }
}

void Lifetimes::review_next(Instant now, Allocation& allocation) {
  if (allocation.next_review == kNoRecord) allocation.next_review = allocation.first_channel;
  Channel& channel = registry_.channel(allocation.next_review);
  allocation.next_review = channel.next;
  --allocation.reviews_left;
  const bool to_offer = channel.bound && channel.permitted && !channel.offered;
  review_pace_.take(now, to_offer ? kReviewOfferCost * kReviewInterval : kReviewInterval);
  offer_again(channel);
}

ChannelBinding Lifetimes::binding_of(const Channel& channel) const {
  Instant expires = std::min(channel.expires, registry_.allocation(channel.allocation).expires);
  if (permissions_) {
    const std::uint32_t permission = registry_.find_permission(channel.port, channel.peer.address);
    if (permission != kNoRecord) expires = std::min(expires, registry_.permission(permission).expires);
  }
  return {channel.client, channel.number, channel.peer, channel.port, expires, channel.padded};
}

bool Lifetimes::offer(Channel& channel) {
  const ChannelBinding binding = binding_of(channel);
  channel.offered = host_.offload(binding) != Host::Offload::full;
  channel.offered_until = binding.expires;
  if (!channel.offered) counters_.add(ServerCounter::offload_full);
  return channel.offered;
}

void Lifetimes::offer_again(Channel& channel) {
  if (!channel.bound || !channel.permitted) return;
  // `full` here leaves the channel to user space: what the client asked for is granted already.
  if (!channel.offered) return static_cast<void>(offer(channel));
  const ChannelBinding binding = binding_of(channel);
  if (channel.offered_until == binding.expires) return;
  channel.offered_until = binding.expires;
  host_.prolong(binding);
}

void Lifetimes::withdraw(Channel& channel) {
  if (!channel.offered) return;
  channel.offered = false;
  ChannelBinding binding = binding_of(channel);
  binding.expires = channel.offered_until;
  host_.withdraw(binding);
}

void Lifetimes::report(EventKind kind, const Channel& channel) {
  host_.report(
      {.kind = kind, .client = channel.client, .port = channel.port, .channel = channel.number, .peer = channel.peer});
}

}  // namespace fireline::relay
