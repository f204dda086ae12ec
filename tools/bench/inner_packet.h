// The packets that benchmarks put into a tunnel: IPv4 and UDP, from 5000 to 5001, zeros behind. Pure.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/base/wire.h"
#include "core/packet/batch.h"
#include "core/packet/checksum.h"

namespace fireline::bench {

inline constexpr std::uint16_t kInnerFrom = 5000, kInnerTo = 5001;

inline void write_inner_packet(Bytes out, std::uint32_t source, std::uint32_t destination,
                               std::uint16_t from = kInnerFrom) {
  std::ranges::fill(out, std::byte{});
  out[0] = std::byte{0x45};
  store_be16(out, 2, static_cast<std::uint16_t>(out.size()));
  out[8] = std::byte{64};
  out[9] = std::byte{17};
  store_be32(out, 12, source);
  store_be32(out, 16, destination);
  store_be16(out, 10, packet::checksum_of(packet::sum(out.first(20))));
  store_be16(out, 20, from);
  store_be16(out, 22, kInnerTo);
  store_be16(out, 24, static_cast<std::uint16_t>(out.size() - 20));
  const packet::Sum pseudo = packet::pseudo_header_sum(out.subspan(12, 4), out.subspan(16, 4), packet::kProtocolUdp,
                                                       static_cast<std::uint32_t>(out.size() - 20));
  store_be16(out, 26, packet::udp_checksum_of(packet::sum(out.subspan(20), pseudo)));
}

// `count` of them with `bytes` each in one buffer, as a TUN reader gives them.
[[nodiscard]] inline packet::TunBatch inner_packets(packet::Buffer buffer, std::uint32_t source,
                                                    std::uint32_t destination, std::size_t count, std::size_t bytes,
                                                    std::uint16_t from = kInnerFrom) {
  packet::TunBatch batch;
  for (std::size_t i = 0; i < count; ++i) {
    const Bytes packet = buffer.bytes().subspan(i * bytes, bytes);
    write_inner_packet(packet, source, destination, from);
    batch.packets.push_back({.bytes = packet, .offload = {}});
  }
  batch.buffers.push_back(std::move(buffer));
  return batch;
}

}  // namespace fireline::bench
