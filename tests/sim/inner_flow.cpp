#include "tests/sim/inner_flow.h"

#include <algorithm>
#include <iterator>

#include "core/packet/checksum.h"

namespace fireline::sim {
namespace {

constexpr std::size_t kIpBytes = 20;
constexpr std::size_t kUdpBytes = 8;
constexpr std::uint16_t kPort = 7000;
constexpr std::size_t kOrderKept = 1024;  // more datagrams than can be under way at once

}  // namespace

std::optional<InnerPacket> InnerPacket::parse(ConstBytes packet) {
  if (packet.size() < kInnerBytesMin || load_be16(packet, kIpBytes + 2) != kPort) return std::nullopt;
  const std::size_t payload = kIpBytes + kUdpBytes;
  return InnerPacket{load_be32(packet, payload), load_be64(packet, payload + 4), packet.size()};
}

std::vector<std::byte> InnerFlow::make(Instant, std::size_t bytes) {
  arrived_.push_back(false);
  return bytes_of(next_++, bytes);
}

std::optional<std::string> InnerFlow::accept(Instant now, const InnerPacket& packet, ConstBytes bytes,
                                             std::uint64_t datagram) {
  const std::string name = "packet " + std::to_string(packet.number) + " of flow " + std::to_string(id_);
  if (packet.number >= next_) return name + " was never sent";
  if (!std::ranges::equal(bytes, bytes_of(packet.number, bytes.size()))) return name + " was modified";
  if (arrived_[packet.number]) return name + " arrived twice";
  arrived_[packet.number] = true;
  ++delivered_;
  last_delivery_ = now;

  if (datagram == 0) return std::nullopt;
  const auto after = order_.upper_bound(datagram);
  if (after != order_.end() && after->second < packet.number) {
    return name + " left before packet " + std::to_string(after->second);
  }
  if (after != order_.begin() && std::prev(after)->second > packet.number) {
    return name + " left after packet " + std::to_string(std::prev(after)->second);
  }
  order_.insert_or_assign(datagram, packet.number);
  if (order_.size() > kOrderKept) order_.erase(order_.begin());
  return std::nullopt;
}

bool InnerFlow::arrived(std::uint64_t number) const {
  return number < arrived_.size() && arrived_[number];
}

std::vector<std::byte> InnerFlow::bytes_of(std::uint64_t number, std::size_t size) const {
  std::vector<std::byte> packet(size);
  const Bytes bytes(packet);
  store_u8(bytes, 0, 0x45);
  store_u8(bytes, 1, static_cast<std::uint8_t>(id_ % 3 == 0 ? 2 : 0));  // ECT(0) in some flows
  store_be16(bytes, 2, static_cast<std::uint16_t>(size));
  store_u8(bytes, 8, 64);
  store_u8(bytes, 9, packet::kProtocolUdp);
  std::ranges::copy(source_.bytes(), packet.begin() + 12);
  std::ranges::copy(destination_.bytes(), packet.begin() + 16);
  store_be16(bytes, 10, packet::checksum_of(packet::sum(bytes.first(kIpBytes))));
  store_be16(bytes, kIpBytes, static_cast<std::uint16_t>(10'000 + id_));
  store_be16(bytes, kIpBytes + 2, kPort);
  store_be16(bytes, kIpBytes + 4, static_cast<std::uint16_t>(size - kIpBytes));
  store_be32(bytes, kIpBytes + kUdpBytes, id_);
  store_be64(bytes, kIpBytes + kUdpBytes + 4, number);
  for (std::size_t i = kInnerBytesMin; i < size; ++i) packet[i] = static_cast<std::byte>(number * 31 + id_ * 7 + i);
  return packet;
}

}  // namespace fireline::sim
