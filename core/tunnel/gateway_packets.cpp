#include "core/tunnel/gateway_packets.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/packet/checksum.h"
#include "core/packet/ip_packet.h"
#include "core/tunnel/address_ranges.h"

namespace fireline::tunnel {
namespace {

constexpr std::uint8_t kProtocolControl = 0xFF;  // tunnel specification 4.1

[[nodiscard]] ConstBytes addresses_of(const packet::IpPacket& packet) noexcept {
  return packet.is_v4() ? packet.bytes().subspan(12, 8) : packet.bytes().subspan(8, 32);
}

[[nodiscard]] bool is_control(const packet::IpPacket& packet) noexcept {
  return packet.protocol() == kProtocolControl && !packet.is_v4() &&
         std::ranges::all_of(addresses_of(packet), [](std::byte b) { return b == std::byte{0}; });
}

[[nodiscard]] bool is_icmp(const packet::IpPacket& packet) noexcept {
  return packet.protocol() == packet::kProtocolIcmp || packet.protocol() == packet::kProtocolIcmp6;
}

[[nodiscard]] bool has_ports(const packet::IpPacket& packet) noexcept {
  return packet.protocol() == packet::kProtocolTcp || packet.protocol() == packet::kProtocolUdp;
}

[[nodiscard]] GatewayCounter counter_of(Access access) noexcept {
  switch (access) {
    case Access::granted:
      return GatewayCounter::to_tun;
    case Access::not_granted:
      return GatewayCounter::drop_inner_not_granted;
    case Access::filtered:
      return GatewayCounter::drop_inner_filtered;
    case Access::not_internet:
      break;
  }
  return GatewayCounter::drop_inner_not_internet;
}

}  // namespace

GatewayPackets::GatewayPackets(std::size_t mtu, ClientTable& clients, Counters<GatewayCounter>& counters)
    : mtu_(mtu), clients_(clients), counters_(counters), answer_bytes_(kAnswerBytesMax) {
  answers_.reserve(kAnswersMax);
}

void GatewayPackets::set_addresses(const IpAddress& ipv4, const IpAddress& ipv6) {
  own_v4_ = ipv4;
  own_v6_ = ipv6;
  clients_.changed();
}

void GatewayPackets::set_host_addresses(std::vector<IpAddress> addresses) {
  internet_.set_host_addresses(std::move(addresses));
  clients_.changed();
}

bool GatewayPackets::admit(Now now, const crypto::PublicKey& peer, const packet::IpHeader&, Bytes bytes) {
  counters_.add(GatewayCounter::inner_packets);
  const auto packet = packet::IpPacket::parse(bytes);
  if (!packet) return drop(GatewayCounter::drop_inner_bad_packet);
  if (packet->size() > mtu_) return drop(GatewayCounter::drop_inner_too_long);
  if (packet->is_fragment()) return drop(GatewayCounter::drop_inner_fragment);
  if (packet->is_source_routed()) return drop(GatewayCounter::drop_inner_source_route);
  if (!packet->transport_valid()) return drop(GatewayCounter::drop_inner_bad_packet);
  const std::uint16_t selector = Flow::selector_of(*packet, packet->destination_port());
  const bool is_known = inner_.version == clients_.version() && now.wall < inner_.valid_until &&
                        inner_.client == peer && inner_.flow.is_of(*packet, selector);
  if (!is_known && !judge_inner(now, peer, *packet)) return false;
  counters_.add(GatewayCounter::to_tun);
  return true;
}

void GatewayPackets::filter(Now now, packet::TunBatch& batch) {
  std::erase_if(batch.packets, [&](const packet::TunPacket& packet) { return !judge_tun(now, packet); });
}

void GatewayPackets::clear_answers() noexcept {
  answers_.clear();
  answer_bytes_used_ = 0;
}

std::uint16_t GatewayPackets::Flow::selector_of(const packet::IpPacket& packet, std::uint16_t port) noexcept {
  return is_icmp(packet) ? load_u8(packet.transport(), 0) : port;
}

bool GatewayPackets::Flow::is_of(const packet::IpPacket& packet, std::uint16_t wanted) const noexcept {
  const ConstBytes its = addresses_of(packet);
  return selector == wanted && protocol == packet.protocol() && address_bytes == its.size() &&
         std::memcmp(addresses.data(), its.data(), its.size()) == 0;
}

void GatewayPackets::Flow::assign(const packet::IpPacket& packet, std::uint16_t its_selector) noexcept {
  const ConstBytes its = addresses_of(packet);
  std::ranges::copy(its, addresses.begin());
  address_bytes = static_cast<std::uint8_t>(its.size());
  protocol = packet.protocol();
  selector = its_selector;
}

bool GatewayPackets::judge_inner(Now now, const crypto::PublicKey& peer, const packet::IpPacket& packet) {
  using Counter = GatewayCounter;
  using packet::IcmpReason;
  if (is_control(packet)) return drop(Counter::drop_inner_control);
  GatewayClient* client = clients_.find(peer);
  if (client != nullptr && clients_.expire(*client, now.wall)) client = clients_.find(peer);
  if (client == nullptr) return drop(Counter::drop_inner_no_client);
  const ConstBytes destination = packet.destination();
  if (is_multicast_address(destination)) return drop(Counter::drop_inner_multicast);
  if (!std::ranges::equal(packet.source(), client->address(packet.family()).bytes())) {
    return refuse(now, *client, IcmpReason::prohibited, packet, Counter::drop_inner_source);
  }
  if (packet::may_be_icmp_error(packet)) return drop(Counter::drop_inner_icmp_error);
  if (!is_own(destination)) {
    if (is_tunnel_address(destination)) {
      return refuse(now, *client, IcmpReason::prohibited, packet, Counter::drop_inner_between_clients);
    }
    if (is_proxy_address(destination)) {
      return refuse(now, *client, IcmpReason::prohibited, packet, Counter::drop_inner_proxy);
    }
    const Access access = client->access.classify(destination, packet.protocol(), packet.destination_port(), internet_);
    if (access != Access::granted) {
      const bool is_network = access == Access::not_internet;
      return refuse(now, *client, is_network ? IcmpReason::network : IcmpReason::prohibited, packet,
                    counter_of(access));
    }
  }
  inner_.flow.assign(packet, Flow::selector_of(packet, packet.destination_port()));
  inner_.client = peer;
  inner_.version = clients_.version();
  inner_.valid_until = client->access.next_expiry();
  return true;
}

bool GatewayPackets::judge_tun(Now now, const packet::TunPacket& tun) {
  counters_.add(GatewayCounter::tun_packets);
  const auto packet = packet::IpPacket::parse(tun.bytes);
  if (!packet) return drop(GatewayCounter::drop_tun_bad_packet);
  if (packet->is_fragment()) return drop(GatewayCounter::drop_tun_fragment);
  if (packet->is_source_routed()) return drop(GatewayCounter::drop_tun_source_route);
  if (!packet->transport_valid()) return drop(GatewayCounter::drop_tun_bad_packet);
  const std::uint16_t selector = Flow::selector_of(*packet, packet->source_port());
  const bool is_known =
      tun_.version == clients_.version() && now.wall < tun_.valid_until && tun_.flow.is_of(*packet, selector);
  if (!is_known && !judge_parsed_tun(now, *packet)) return false;
  counters_.add(GatewayCounter::to_node);
  return true;
}

bool GatewayPackets::judge_parsed_tun(Now now, const packet::IpPacket& packet) {
  using Counter = GatewayCounter;
  if (!is_tunnel_address(packet.destination())) return drop(Counter::drop_tun_not_client);
  const IpAddress destination = packet.destination_address();
  GatewayClient* client = clients_.find(destination);
  if (client != nullptr && clients_.expire(*client, now.wall)) client = clients_.find(destination);
  if (client == nullptr) return drop(Counter::drop_tun_no_client);
  if (!client->connected) return drop(Counter::drop_tun_not_connected);
  const ConstBytes source = packet.source();
  if (!is_own(source)) {
    if (is_tunnel_address(source)) return drop(Counter::drop_tun_between_clients);
    if (!packet::is_icmp_error(packet)) {
      if (!has_ports(packet) && !packet::is_icmp_echo(packet)) return drop(Counter::drop_tun_protocol);
      const bool is_granted =
          !is_proxy_address(source) &&
          client->access.classify(source, packet.protocol(), packet.source_port(), internet_) == Access::granted;
      if (!is_granted) return drop(Counter::drop_tun_not_granted);
    }
  }
  tun_.flow.assign(packet, Flow::selector_of(packet, packet.source_port()));
  tun_.version = clients_.version();
  tun_.valid_until = client->access.next_expiry();
  return true;
}

bool GatewayPackets::is_own(ConstBytes address) const noexcept {
  const IpAddress& own = address.size() == 4 ? own_v4_ : own_v6_;
  return std::ranges::equal(address, own.bytes());
}

bool GatewayPackets::drop(GatewayCounter counter) noexcept {
  counters_.add(counter);
  return false;
}

bool GatewayPackets::refuse(Now now, GatewayClient& client, packet::IcmpReason reason, const packet::IpPacket& packet,
                            GatewayCounter counter) {
  counters_.add(counter);
  if (packet::may_be_icmp_error(packet)) return drop(GatewayCounter::unanswered_rule);
  if (!client.answers.allow(now.boot)) return drop(GatewayCounter::unanswered_limited);
  const Bytes room = Bytes(answer_bytes_).subspan(answer_bytes_used_);
  if (answers_.size() == kAnswersMax || room.size() < packet::kIcmpErrorBytes) {
    return drop(GatewayCounter::unanswered_room);
  }
  const auto bytes = packet::build_icmp_error(reason, 0, packet.destination_address(), packet.bytes(), room);
  if (!bytes) return drop(GatewayCounter::unanswered_rule);
  answers_.push_back({.client = client.key,
                      .offset = static_cast<std::uint32_t>(answer_bytes_used_),
                      .bytes = static_cast<std::uint32_t>(*bytes)});
  answer_bytes_used_ += *bytes;
  counters_.add(GatewayCounter::answers);
  return false;
}

}  // namespace fireline::tunnel
