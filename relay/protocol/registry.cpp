#include "relay/protocol/registry.h"

#include <algorithm>
#include <utility>

namespace fireline::relay {
namespace {

template <class T>
void link(Slab<T>& slab, std::uint32_t& head, std::uint32_t number) noexcept {
  slab[number].next = head;
  if (head != kNoRecord) slab[head].previous = number;
  head = number;
}

template <class T>
void unlink(Slab<T>& slab, std::uint32_t& head, std::uint32_t number) noexcept {
  const T& record = slab[number];
  (record.previous == kNoRecord ? head : slab[record.previous].next) = record.next;
  if (record.next != kNoRecord) slab[record.next].previous = record.previous;
}

}  // namespace

Registry::Registry(std::uint16_t lowest, std::uint16_t highest, crypto::Random& random)
    : hash_(random), lowest_(lowest), by_port_(std::size_t{highest} - lowest + 1, kNoRecord) {}

std::uint32_t Registry::find_allocation(const Endpoint& client) const {
  return by_client_.find(hash_(client, 0), [&](std::uint32_t number) { return allocations_[number].client == client; });
}

std::uint32_t Registry::find_allocation_of(std::uint16_t port) const noexcept {
  if (port < lowest_ || static_cast<std::size_t>(port - lowest_) >= by_port_.size()) return kNoRecord;
  return by_port_[static_cast<std::size_t>(port - lowest_)];
}

std::uint32_t Registry::find_allocation_of(std::string_view username) const {
  const auto user = users_.find(username);
  return user == users_.end() ? kNoRecord : user->second.latest;
}

std::size_t Registry::allocations_of(std::string_view username) const {
  const auto user = users_.find(username);
  return user == users_.end() ? 0 : user->second.allocations;
}

std::size_t Registry::channels_of(std::string_view username) const {
  const auto user = users_.find(username);
  return user == users_.end() ? 0 : user->second.channels;
}

std::uint32_t Registry::find_channel(const Endpoint& client, std::uint16_t number) const {
  return channels_by_client_.find(hash_(client, number), [&](std::uint32_t at) {
    return channels_[at].number == number && channels_[at].client == client;
  });
}

std::uint32_t Registry::find_channel(std::uint16_t port, const Endpoint& peer) const {
  return channels_by_peer_.find(
      hash_(peer, port), [&](std::uint32_t at) { return channels_[at].port == port && channels_[at].peer == peer; });
}

std::uint32_t Registry::find_first_channel_of(std::uint16_t port, const IpAddress& peer) const {
  return channels_by_address_.find(hash_(peer, port), [&](std::uint32_t at) {
    return channels_[at].port == port && channels_[at].peer.address == peer;
  });
}

std::uint32_t Registry::find_permission(std::uint16_t port, const IpAddress& peer) const {
  return permissions_by_peer_.find(hash_(peer, port), [&](std::uint32_t at) {
    return permissions_[at].port == port && permissions_[at].peer == peer;
  });
}

std::uint32_t Registry::add_allocation(const Endpoint& client, std::uint16_t port, Families families,
                                       std::string_view username) {
  const std::uint32_t number = allocations_.add();
  const auto user = users_.try_emplace(std::string(username)).first;
  ++user->second.allocations;
  user->second.latest = number;

  Allocation& allocation = allocations_[number];
  allocation.timer = {kNotInHeap, number, Timer::Kind::allocation};
  allocation.review = {kNotInHeap, number, Timer::Kind::review};
  allocation.client = client;
  allocation.port = port;
  allocation.families = families;
  allocation.username = &user->first;
  by_client_.insert(hash_(client, 0), number);
  by_port_[static_cast<std::size_t>(port - lowest_)] = number;
  return number;
}

std::uint32_t Registry::add_channel(std::uint32_t owner, std::uint16_t channel_number, const Endpoint& peer) {
  Allocation& allocation = allocations_[owner];
  const std::uint32_t number = channels_.add();
  Channel& channel = channels_[number];
  channel.timer = {kNotInHeap, number, Timer::Kind::channel};
  channel.client = allocation.client;
  channel.peer = peer;
  channel.number = channel_number;
  channel.port = allocation.port;
  channel.allocation = owner;
  link(channels_, allocation.first_channel, number);
  ++allocation.channels;
  // The walk of a review may be past the head already: one step more, so that it leaves out none behind it.
  if (allocation.reviews_left > 0) ++allocation.reviews_left;
  ++users_.find(*allocation.username)->second.channels;
  channels_by_client_.insert(hash_(channel.client, channel_number), number);
  channels_by_peer_.insert(hash_(peer, channel.port), number);
  link_of_address(number);
  return number;
}

// Behind the first one, so that the index changes with that one alone.
void Registry::link_of_address(std::uint32_t number) {
  Channel& channel = channels_[number];
  const std::uint32_t first = find_first_channel_of(channel.port, channel.peer.address);
  if (first == kNoRecord) return channels_by_address_.insert(hash_(channel.peer.address, channel.port), number);
  channel.previous_of_address = first;
  channel.next_of_address = std::exchange(channels_[first].next_of_address, number);
  if (channel.next_of_address != kNoRecord) channels_[channel.next_of_address].previous_of_address = number;
}

void Registry::unlink_of_address(std::uint32_t number) {
  const Channel& channel = channels_[number];
  const std::uint32_t next = channel.next_of_address;
  if (next != kNoRecord) channels_[next].previous_of_address = channel.previous_of_address;
  if (channel.previous_of_address != kNoRecord) {
    channels_[channel.previous_of_address].next_of_address = next;
    return;
  }
  const std::uint32_t hash = hash_(channel.peer.address, channel.port);
  channels_by_address_.erase(hash, number);
  if (next != kNoRecord) channels_by_address_.insert(hash, next);
}

std::uint32_t Registry::add_permission(std::uint32_t owner, const IpAddress& peer) {
  Allocation& allocation = allocations_[owner];
  const std::uint32_t number = permissions_.add();
  Permission& permission = permissions_[number];
  permission.timer = {kNotInHeap, number, Timer::Kind::permission};
  permission.peer = peer;
  permission.port = allocation.port;
  permission.allocation = owner;
  link(permissions_, allocation.first_permission, number);
  ++allocation.permissions;
  permissions_by_peer_.insert(hash_(peer, permission.port), number);
  return number;
}

void Registry::remove_allocation(std::uint32_t number) {
  const Allocation& allocation = allocations_[number];
  by_port_[static_cast<std::size_t>(allocation.port - lowest_)] = kNoRecord;
  by_client_.erase(hash_(allocation.client, 0), number);
  const auto user = users_.find(*allocation.username);
  if (--user->second.allocations == 0) users_.erase(user);
  allocations_.remove(number);
}

void Registry::remove_channel(std::uint32_t number) {
  Channel& channel = channels_[number];
  set_bound(channel, false);
  channels_by_client_.erase(hash_(channel.client, channel.number), number);
  channels_by_peer_.erase(hash_(channel.peer, channel.port), number);
  Allocation& allocation = allocations_[channel.allocation];
  unlink(channels_, allocation.first_channel, number);
  unlink_of_address(number);
  if (allocation.next_review == number) allocation.next_review = channel.next;
  --allocation.channels;
  --users_.find(*allocation.username)->second.channels;
  allocation.reviews_left = std::min(allocation.reviews_left, allocation.channels);
  channels_.remove(number);
}

void Registry::remove_permission(std::uint32_t number) {
  const Permission& permission = permissions_[number];
  permissions_by_peer_.erase(hash_(permission.peer, permission.port), number);
  Allocation& allocation = allocations_[permission.allocation];
  unlink(permissions_, allocation.first_permission, number);
  --allocation.permissions;
  permissions_.remove(number);
}

void Registry::set_bound(Channel& channel, bool bound) noexcept {
  if (channel.bound == bound) return;
  channel.bound = bound;
  Allocation& allocation = allocations_[channel.allocation];
  if (bound) {
    ++allocation.bound_channels;
    ++bound_channels_;
  } else {
    --allocation.bound_channels;
    --bound_channels_;
  }
}

}  // namespace fireline::relay
