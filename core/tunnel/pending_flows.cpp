#include "core/tunnel/pending_flows.h"

#include <algorithm>
#include <utility>

#include "core/packet/ip_packet.h"

namespace fireline::tunnel {
namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint8_t kAck = 0x10;

// What two SYNs of one connection attempt have in common.
struct Syn {
  ConstBytes addresses;
  ConstBytes ports_and_sequence;

  [[nodiscard]] static std::optional<Syn> parse(ConstBytes bytes) noexcept;
  friend bool operator==(const Syn& a, const Syn& b) noexcept {
    return std::ranges::equal(a.addresses, b.addresses) &&
           std::ranges::equal(a.ports_and_sequence, b.ports_and_sequence);
  }
};

std::optional<Syn> Syn::parse(ConstBytes bytes) noexcept {
  const auto packet = packet::IpPacket::parse(bytes);
  if (!packet || packet->protocol() != kTcp || !packet->transport_valid()) return std::nullopt;
  if ((load_u8(packet->transport(), 13) & (kSyn | kAck)) != kSyn) return std::nullopt;
  return Syn{.addresses = packet->is_v4() ? packet->bytes().subspan(12, 8) : packet->bytes().subspan(8, 32),
             .ports_and_sequence = packet->transport().first(8)};
}

}  // namespace

bool PendingFlows::want(Instant now, const Uuid& resource, IntentReason reason) {
  if (const auto found = index_.find(resource); found != index_.end()) {
    flows_.splice(flows_.end(), flows_, found->second);
  } else {
    flows_.push_back({.resource = resource, .waits_for_relays = false, .packets = {}});
    index_.emplace(resource, std::prev(flows_.end()));
  }
  if (!pace_.ask(now, resource, reason)) return false;
  flows_.back().waits_for_relays = false;
  return true;
}

void PendingFlows::hold(const Uuid& resource, const packet::Segmenter& segmenter) {
  const auto found = index_.find(resource);
  if (found == index_.end()) return;
  for (std::size_t i = 0; i < segmenter.segment_count(); ++i) {
    Packet packet(segmenter.segment_length(i));
    segmenter.write(i, packet.data());
    add(*found->second, std::move(packet));
  }
}

PendingFlows::Packets PendingFlows::release(const Uuid& resource) {
  const auto found = index_.find(resource);
  if (found == index_.end()) return {};
  Packets packets = std::move(found->second->packets);
  for (const Packet& packet : packets) bytes_ -= packet.size();
  counters_.add(ClientCounter::pending_released, packets.size());
  pace_.granted(resource);
  flows_.erase(found->second);
  index_.erase(found);
  return packets;
}

void PendingFlows::abandon(const Uuid& resource) {
  const auto found = index_.find(resource);
  if (found == index_.end()) return;
  for (const Packet& packet : found->second->packets) bytes_ -= packet.size();
  counters_.add(ClientCounter::drop_pending_abandoned, found->second->packets.size());
  flows_.erase(found->second);
  index_.erase(found);
}

void PendingFlows::wait_for_relays(const Uuid& resource) noexcept {
  const auto found = index_.find(resource);
  if (found != index_.end()) found->second->waits_for_relays = true;
}

std::vector<Uuid> PendingFlows::take_waiting_for_relays(Instant now) {
  std::vector<Uuid> waiting;
  for (Flow& flow : flows_) {
    if (!std::exchange(flow.waits_for_relays, false)) continue;
    pace_.asked(now, flow.resource);
    waiting.push_back(flow.resource);
  }
  return waiting;
}

std::size_t PendingFlows::packets(const Uuid& resource) const noexcept {
  const auto found = index_.find(resource);
  return found == index_.end() ? 0 : found->second->packets.size();
}

void PendingFlows::add(Flow& flow, Packet packet) {
  counters_.add(ClientCounter::pending_packets);
  if (std::ranges::find(flow.packets, packet) != flow.packets.end()) {
    return counters_.add(ClientCounter::pending_repeated);
  }
  bytes_ += packet.size();
  if (const auto syn = Syn::parse(packet)) {
    const auto same = std::ranges::find_if(flow.packets, [&](const Packet& one) { return Syn::parse(one) == syn; });
    if (same != flow.packets.end()) {
      bytes_ -= same->size();
      *same = std::move(packet);
      counters_.add(ClientCounter::pending_replaced);
      return make_room();
    }
  }
  if (flow.packets.size() == kPendingPackets) {
    bytes_ -= flow.packets.front().size();
    flow.packets.pop_front();
    counters_.add(ClientCounter::drop_pending_overwritten);
  }
  flow.packets.push_back(std::move(packet));
  make_room();
}

void PendingFlows::make_room() {
  for (Flow& flow : flows_) {
    while (bytes_ > bytes_max_ && !flow.packets.empty()) {
      bytes_ -= flow.packets.front().size();
      flow.packets.pop_front();
      counters_.add(ClientCounter::drop_pending_room);
    }
    if (bytes_ <= bytes_max_) return;
  }
}

}  // namespace fireline::tunnel
