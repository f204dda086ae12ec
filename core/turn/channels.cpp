#include "core/turn/channels.h"

namespace fireline::turn {
namespace {
constexpr std::uint16_t index_of(std::uint16_t number) noexcept {
  return static_cast<std::uint16_t>(number - stun::kMinChannel);
}
constexpr bool in_range(std::uint16_t number) noexcept {
  return number >= stun::kMinChannel && number <= stun::kMaxChannel;
}
}  // namespace

std::optional<std::uint16_t> Channels::sendable(Instant now, const Endpoint& peer) const noexcept {
  const Channel* channel = find(peer);
  if (channel == nullptr) return std::nullopt;
  if (!channel->live(now) && !channel->behind_request(now)) return std::nullopt;
  return channel->number;
}

std::optional<Instant> Channels::sendable_until(Instant now, const Endpoint& peer) const noexcept {
  const Channel* channel = find(peer);
  if (channel == nullptr) return std::nullopt;
  if (channel->live(now)) return channel->bound_at + kChannelLifetime;
  if (channel->behind_request(now)) return channel->sent_at + kChannelLifetime;
  return std::nullopt;
}

std::optional<Endpoint> Channels::receive(Instant now, std::uint16_t number) noexcept {
  Channel* channel = find(number);
  if (channel == nullptr || !channel->live(now)) return std::nullopt;
  channel->received = true;
  return channel->peer;
}

bool Channels::needs_bind(Instant now, const Endpoint& peer) const noexcept {
  const Channel* channel = find(peer);
  return channel == nullptr || (!channel->in_flight && !channel->live(now));
}

bool Channels::exceeds_share(const Endpoint& peer, ChannelOwner owner) const noexcept {
  if (owner == ChannelOwner::nobody || find(peer) != nullptr) return false;
  const auto held = held_.find(owner);
  return held != held_.end() && held->second >= kChannelsPerOwnerMax;
}

std::optional<std::uint16_t> Channels::begin_bind(Instant now, const Endpoint& peer, ChannelOwner owner) {
  if (const auto known = slots_by_peer_.find(peer); known != slots_by_peer_.end()) {
    Channel& channel = channels_[known->second];
    if (!channel.cooled_down(now)) {
#ifdef FIRELINE_PLANTED_EARLY_CHANNEL_DATA
      channel.pipelined = true;
#else
      channel.pipelined = !channel.confirmed || channel.live(now);
#endif
      channel.in_flight = true;
      channel.sent_at = now;
      return channel.number;
    }
    erase(known->second);
  }
  const auto number = choose_number(now);
  if (!number) return std::nullopt;
  const auto slot = static_cast<std::uint16_t>(channels_.size());
  channels_.push_back({.peer = peer,
                       .owner = owner,
                       .bound_at = now,
                       .sent_at = now,
                       .number = *number,
                       .confirmed = false,
                       .in_flight = true,
                       .pipelined = true,
                       .received = false});
  slot_of_[index_of(*number)] = slot;
  slots_by_peer_.emplace(peer, slot);
  ++held_[owner];
  return number;
}

void Channels::confirm(Instant now, std::uint16_t number) noexcept {
  Channel* channel = find(number);
  if (channel == nullptr) return;
  channel->bound_at = now;
  channel->confirmed = true;
  channel->in_flight = false;
  channel->received = false;
}

void Channels::forget(std::uint16_t number) {
  if (!in_range(number) || slot_of_[index_of(number)] == kNone) return;
  erase(slot_of_[index_of(number)]);
}

std::optional<Endpoint> Channels::refresh_due(Instant now) const noexcept {
  for (const Channel& channel : channels_) {
    if (channel.wants_refresh(now)) return channel.peer;
  }
  return std::nullopt;
}

void Channels::prune(Instant now) {
  for (std::size_t slot = channels_.size(); slot-- > 0;) {
    if (channels_[slot].cooled_down(now)) erase(static_cast<std::uint16_t>(slot));
  }
}

void Channels::clear() noexcept {
  channels_.clear();
  slots_by_peer_.clear();
  held_.clear();
  slot_of_.fill(kNone);
  never_used_ = 0;
  next_ = 0;
}

std::size_t Channels::bound(Instant now) const noexcept {
  std::size_t count = 0;
  for (const Channel& channel : channels_) {
    if (channel.live(now)) ++count;
  }
  return count;
}

// Without a limit of age: a channel that lapsed with data since its last binding is bound again as well.
bool Channels::Channel::wants_refresh(Instant now) const noexcept {
  return confirmed && received && !in_flight && now - bound_at >= kChannelRefresh;
}

bool Channels::Channel::cooled_down(Instant now) const noexcept {
  return confirmed && !in_flight && !received && now - bound_at >= kChannelReuse;
}

const Channels::Channel* Channels::find(const Endpoint& peer) const noexcept {
  const auto known = slots_by_peer_.find(peer);
  return known == slots_by_peer_.end() ? nullptr : &channels_[known->second];
}

Channels::Channel* Channels::find(std::uint16_t number) noexcept {
  if (!in_range(number)) return nullptr;
  const std::uint16_t slot = slot_of_[index_of(number)];
  return slot == kNone ? nullptr : &channels_[slot];
}

std::optional<std::uint16_t> Channels::choose_number(Instant now) {
  if (never_used_ < kChannelsMax) return static_cast<std::uint16_t>(stun::kMinChannel + never_used_++);
  if (channels_.size() == kChannelsMax) prune(now);
  for (std::size_t step = 0; step < kChannelsMax; ++step) {
    const std::uint16_t index = next_;
    next_ = static_cast<std::uint16_t>((next_ + 1) % kChannelsMax);
    if (slot_of_[index] == kNone) return static_cast<std::uint16_t>(stun::kMinChannel + index);
  }
  return std::nullopt;
}

void Channels::erase(std::uint16_t slot) {
  slot_of_[index_of(channels_[slot].number)] = kNone;
  slots_by_peer_.erase(channels_[slot].peer);
  if (const auto held = held_.find(channels_[slot].owner); --held->second == 0) held_.erase(held);
  const auto last = static_cast<std::uint16_t>(channels_.size() - 1);
  if (slot != last) {
    channels_[slot] = channels_[last];
    slot_of_[index_of(channels_[slot].number)] = slot;
    slots_by_peer_[channels_[slot].peer] = slot;
  }
  channels_.pop_back();
}

}  // namespace fireline::turn
