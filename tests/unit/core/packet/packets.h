// Packets for the tests, and a checksum that shares nothing with the code under test: byte by byte, as RFC 1071
// section 1 words it.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/wire.h"
#include "core/packet/batch.h"
#include "core/packet/segmenter.h"

namespace fireline::packet::test {

using Packet = std::vector<std::byte>;

inline Packet from_hex(std::string_view hex) {
  const auto digit = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
  Packet bytes;
  std::string digits;
  std::ranges::copy_if(hex, std::back_inserter(digits), [](char c) { return c != ' '; });
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(digit(digits[i]) * 16 + digit(digits[i + 1])));
  }
  return bytes;
}

// A write gathered and cut as the kernel would; empty when it would refuse it.
inline std::optional<std::vector<Packet>> cut(const TunWriteBatch& batch, const TunWrite& write) {
  Packet whole;
  for (std::size_t i = 0; i < write.slice_count; ++i) {
    const ConstBytes slice = batch.slices[write.first_slice + i];
    whole.insert(whole.end(), slice.begin(), slice.end());
  }
  const auto segments = Segmenter::make({.bytes = whole, .offload = write.offload});
  if (!segments) return std::nullopt;
  std::vector<Packet> packets;
  for (std::size_t i = 0; i < segments->segment_count(); ++i) {
    packets.emplace_back(segments->segment_length(i));
    segments->write(i, packets.back().data());
  }
  return packets;
}

// The folded sum of big-endian words, zero-padded, not complemented.
inline std::uint16_t slow_sum(ConstBytes bytes, std::uint32_t initial = 0) {
  std::uint32_t total = initial;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto value = std::to_integer<std::uint32_t>(bytes[i]);
    total += i % 2 == 0 ? value << 8 : value;
    if (total > 0xFFFF) total -= 0xFFFF;
  }
  return static_cast<std::uint16_t>(total);
}

inline bool is_v4(ConstBytes packet) {
  return std::to_integer<unsigned>(packet[0]) >> 4 == 4;
}

// Of packets without IPv6 extension headers.
inline std::size_t ip_header_bytes(ConstBytes packet) {
  return is_v4(packet) ? (std::to_integer<std::size_t>(packet[0]) & 15) * 4 : 40;
}

inline std::uint16_t slow_pseudo_sum(ConstBytes packet) {
  const std::size_t header = ip_header_bytes(packet);
  const auto protocol = std::to_integer<std::uint32_t>(packet[is_v4(packet) ? 9 : 6]);
  const ConstBytes addresses = is_v4(packet) ? packet.subspan(12, 8) : packet.subspan(8, 32);
  return slow_sum(addresses, protocol + static_cast<std::uint32_t>(packet.size() - header));
}

// Empty when lengths and both checksums of a TCP or UDP packet are right, else what is wrong.
inline std::string fault_of(ConstBytes packet) {
  const std::size_t header = ip_header_bytes(packet);
  if (is_v4(packet)) {
    if (load_be16(packet, 2) != packet.size()) return "IPv4 total length";
    if (slow_sum(packet.first(header)) != 0xFFFF) return "IPv4 header checksum";
  } else if (load_be16(packet, 4) + 40u != packet.size()) {
    return "IPv6 payload length";
  }
  const bool is_udp = std::to_integer<int>(packet[is_v4(packet) ? 9 : 6]) == 17;
  if (is_udp && load_be16(packet, header + 4) != packet.size() - header) return "UDP length";
  if (is_udp && load_be16(packet, header + 6) == 0) return "UDP without checksum";
  if (slow_sum(packet.subspan(header), slow_pseudo_sum(packet)) != 0xFFFF) return "transport checksum";
  return "";
}

struct PacketSpec {
  bool v6 = false;
  bool udp = false;
  std::uint8_t source = 1;  // last byte of the address
  std::uint16_t source_port = 40000;
  std::uint16_t destination_port = 443;
  std::uint32_t sequence = 1000;
  std::uint32_t acknowledgement = 77;
  std::uint16_t flags = 0x010;  // the twelve bits behind the data offset
  std::uint16_t window = 501;
  std::uint16_t urgent = 0;
  std::string options = "0101080a0000000100000002";  // TCP, hex, a multiple of four bytes
  std::string ip_options = "";                       // IPv4, hex, a multiple of four bytes
  std::uint8_t traffic_class = 0;
  std::uint8_t hop_limit = 64;
  std::uint16_t id = 100;
  std::uint16_t fragment = 0x4000;
  std::uint32_t flow_label = 0;
  std::size_t payload = 100;
  std::uint8_t seed = 1;  // of the payload's bytes
};

// Writes lengths and both checksums of a TCP or UDP packet.
inline void finish_packet(Packet& packet) {
  const std::size_t header = ip_header_bytes(packet);
  if (is_v4(packet)) {
    store_be16(packet, 2, static_cast<std::uint16_t>(packet.size()));
    store_be16(packet, 10, 0);
    store_be16(packet, 10, static_cast<std::uint16_t>(~slow_sum(ConstBytes(packet).first(header))));
  } else {
    store_be16(packet, 4, static_cast<std::uint16_t>(packet.size() - 40));
  }
  const bool is_udp = std::to_integer<int>(packet[is_v4(packet) ? 9 : 6]) == 17;
  if (is_udp) store_be16(packet, header + 4, static_cast<std::uint16_t>(packet.size() - header));
  const std::size_t field = header + (is_udp ? 6 : 16);
  store_be16(packet, field, 0);
  const auto checksum =
      static_cast<std::uint16_t>(~slow_sum(ConstBytes(packet).subspan(header), slow_pseudo_sum(packet)));
  store_be16(packet, field, is_udp && checksum == 0 ? std::uint16_t{0xFFFF} : checksum);
}

inline Packet make_packet(const PacketSpec& spec) {
  const Packet options = from_hex(spec.options);
  const Packet ip_options = from_hex(spec.ip_options);
  const std::size_t ip = spec.v6 ? 40 : 20 + ip_options.size();
  const std::size_t header = ip + (spec.udp ? 8 : 20 + options.size());
  Packet packet(header + spec.payload);
  if (spec.v6) {
    store_be32(packet, 0, 0x6000'0000u | std::uint32_t{spec.traffic_class} << 20 | spec.flow_label);
    store_u8(packet, 6, spec.udp ? 17 : 6);
    store_u8(packet, 7, spec.hop_limit);
    store_be16(packet, 8, 0xFD00);
    store_u8(packet, 23, spec.source);
    store_be16(packet, 24, 0xFD00);
    store_u8(packet, 39, 99);
  } else {
    store_u8(packet, 0, static_cast<std::uint8_t>(0x40u + ip / 4));
    store_u8(packet, 1, spec.traffic_class);
    store_be16(packet, 4, spec.id);
    store_be16(packet, 6, spec.fragment);
    store_u8(packet, 8, spec.hop_limit);
    store_u8(packet, 9, spec.udp ? 17 : 6);
    store_be32(packet, 12, 0x0A00'0000u + spec.source);
    store_be32(packet, 16, 0x0A00'0063u);
    std::ranges::copy(ip_options, packet.begin() + 20);
  }
  store_be16(packet, ip, spec.source_port);
  store_be16(packet, ip + 2, spec.destination_port);
  if (!spec.udp) {
    store_be32(packet, ip + 4, spec.sequence);
    store_be32(packet, ip + 8, spec.acknowledgement);
    const std::size_t offset = (20 + options.size()) / 4;
    store_be16(packet, ip + 12, static_cast<std::uint16_t>(offset << 12 | spec.flags));
    store_be16(packet, ip + 14, spec.window);
    store_be16(packet, ip + 18, spec.urgent);
    std::ranges::copy(options, packet.begin() + static_cast<std::ptrdiff_t>(ip) + 20);
  }
  for (std::size_t i = 0; i < spec.payload; ++i) {
    packet[header + i] = static_cast<std::byte>(spec.seed * 31u + i * 7u + (i >> 8));
  }
  finish_packet(packet);
  return packet;
}

// The packet as the kernel gives it to a TUN reader: one TCP or UDP packet whose checksum field holds the pseudo-header
// sum only.
inline Offload leave_checksum_open(Packet& packet, Segmentation segmentation, std::uint16_t segment_bytes) {
  const std::size_t header = ip_header_bytes(packet);
  const bool is_udp = std::to_integer<int>(packet[is_v4(packet) ? 9 : 6]) == 17;
  const std::uint16_t offset = is_udp ? 6 : 16;
  store_be16(packet, header + offset, slow_pseudo_sum(packet));
  return {.segmentation = segmentation,
          .needs_checksum = true,
          .segment_bytes = segment_bytes,
          .checksum_start = static_cast<std::uint16_t>(header),
          .checksum_offset = offset};
}

// What the kernel reads from the TUN for one write: the slices one behind the other.
inline Packet gather(const TunWriteBatch& batch, const TunWrite& write) {
  Packet bytes;
  for (std::size_t i = 0; i < write.slice_count; ++i) {
    const ConstBytes slice = batch.slices[write.first_slice + i];
    bytes.insert(bytes.end(), slice.begin(), slice.end());
  }
  return bytes;
}

}  // namespace fireline::packet::test
