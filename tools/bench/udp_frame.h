// For benchmarks and tests: Ethernet frames with one UDP datagram, built with correct checksums, and the check of the
// checksums of any such frame. Uses core/packet's sums: neither the XDP program's nor the model's arithmetic.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/wire.h"
#include "core/packet/checksum.h"

namespace fireline::bench {

struct UdpFrame {
  Endpoint source;
  Endpoint target;  // of the same family
  std::optional<std::uint16_t> channel{};
  std::vector<std::byte> payload{};
  std::uint8_t traffic_class = 0;
  std::uint8_t hops = 57;
  std::uint16_t identification = 0x1C46;
  bool do_not_fragment = true;
  std::uint32_t flow_label = 0;
  bool with_checksum = true;  // IPv4 alone may do without
  std::size_t padding = 0;    // bytes behind the IP packet
};

inline constexpr std::size_t kFrameIpAt = 14;

inline std::vector<std::byte> build(const UdpFrame& frame) {
  const bool v4 = frame.source.address.is_v4();
  const std::size_t ip_bytes = v4 ? 20 : 40;
  const std::size_t udp_bytes = 8 + (frame.channel ? 4 : 0) + frame.payload.size();
  std::vector<std::byte> bytes(kFrameIpAt + ip_bytes + udp_bytes + frame.padding, std::byte{0xEE});
  const Bytes all(bytes);
  for (std::size_t i = 0; i < 12; ++i) store_u8(all, i, static_cast<std::uint8_t>(i < 6 ? 0x02 + i * 16 : 0x42 + i));
  store_be16(all, 12, v4 ? 0x0800 : 0x86DD);
  const Bytes ip = all.subspan(kFrameIpAt);
  if (v4) {
    store_u8(ip, 0, 0x45);
    store_u8(ip, 1, frame.traffic_class);
    store_be16(ip, 2, static_cast<std::uint16_t>(ip_bytes + udp_bytes));
    store_be16(ip, 4, frame.identification);
    store_be16(ip, 6, frame.do_not_fragment ? 0x4000 : 0);
    store_u8(ip, 8, frame.hops);
    store_u8(ip, 9, 17);
    store_be16(ip, 10, 0);
  } else {
    store_be32(ip, 0, 0x6000'0000u | static_cast<std::uint32_t>(frame.traffic_class) << 20 | frame.flow_label);
    store_be16(ip, 4, static_cast<std::uint16_t>(udp_bytes));
    store_u8(ip, 6, 17);
    store_u8(ip, 7, frame.hops);
  }
  const std::size_t addresses = v4 ? 12 : 8;
  const auto source = frame.source.address.bytes();
  const auto target = frame.target.address.bytes();
  std::copy(source.begin(), source.end(), ip.begin() + static_cast<std::ptrdiff_t>(addresses));
  std::copy(target.begin(), target.end(), ip.begin() + static_cast<std::ptrdiff_t>(addresses + source.size()));
  if (v4) store_be16(ip, 10, packet::checksum_of(packet::sum(ip.first(20))));

  const Bytes udp = ip.subspan(ip_bytes, udp_bytes);
  store_be16(udp, 0, frame.source.port);
  store_be16(udp, 2, frame.target.port);
  store_be16(udp, 4, static_cast<std::uint16_t>(udp_bytes));
  store_be16(udp, 6, 0);
  if (frame.channel) {
    store_be16(udp, 8, *frame.channel);
    store_be16(udp, 10, static_cast<std::uint16_t>(frame.payload.size()));
  }
  std::copy(frame.payload.begin(), frame.payload.end(), udp.begin() + (frame.channel ? 12 : 8));
  if (frame.with_checksum) {
    const auto pseudo = packet::pseudo_header_sum(source, target, 17, static_cast<std::uint32_t>(udp_bytes));
    store_be16(udp, 6, packet::udp_checksum_of(packet::sum(udp, pseudo)));
  }
  return bytes;
}

struct Checksums {
  bool ip = true;   // IPv6 has none
  bool udp = true;  // also when IPv4 has none
  friend bool operator==(const Checksums&, const Checksums&) = default;
};

// Of a well-formed frame: plain IPv4 or IPv6, UDP, lengths inside.
inline Checksums check_checksums(ConstBytes frame) {
  Checksums result;
  const bool v4 = load_be16(frame, 12) == 0x0800;
  const ConstBytes ip = frame.subspan(kFrameIpAt);
  const std::size_t ip_bytes = v4 ? 20 : 40;
  if (v4) result.ip = packet::fold(packet::sum(ip.first(20))) == 0xFFFF;
  const ConstBytes udp = ip.subspan(ip_bytes, load_be16(ip, ip_bytes + 4));
  const std::size_t width = v4 ? 4 : 16;
  const std::size_t at = v4 ? 12 : 8;
  const auto pseudo = packet::pseudo_header_sum(ip.subspan(at, width), ip.subspan(at + width, width), 17,
                                                static_cast<std::uint32_t>(udp.size()));
  const bool none = v4 && load_be16(udp, 6) == 0;
  result.udp = none || packet::fold(packet::sum(udp, pseudo)) == 0xFFFF;
  return result;
}

}  // namespace fireline::bench
