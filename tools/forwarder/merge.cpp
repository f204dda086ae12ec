#include "tools/forwarder/merge.h"

#include <algorithm>

namespace fireline::forwarder {

void Merge::begin(Bytes buffer, std::size_t datagram_bytes) noexcept {
  buffer_ = buffer;
  datagram_bytes_ = std::max<std::size_t>(datagram_bytes, 1);
}

std::span<iovec> Merge::next(bool merge_udp) noexcept {
  const Bytes first = take();
  if (first.size() <= kOverheadBytes) return {};
  // The virtio_net_hdr lies right before the packet: one piece.
  pieces_[0] = {first.data() + kPadBytes, first.size() - kPadBytes};
  std::size_t count = 1;

  Headers headers;
  if (!parse(first, headers) || (!headers.tcp && !merge_udp)) return std::span(pieces_).first(1);
  const std::size_t header_bytes = kOverheadBytes + headers.bytes;
  const std::size_t segment_bytes = first.size() - header_bytes;
  std::size_t packet_bytes = first.size() - kOverheadBytes;
  std::uint32_t expected = headers.tcp ? load_be32(first, kOverheadBytes + headers.transport + 4) : 0;
  expected += static_cast<std::uint32_t>(segment_bytes);
  const std::size_t flags_at = kOverheadBytes + headers.transport + 13;
  std::uint8_t flags = headers.tcp ? load_u8(first, flags_at) : std::uint8_t{0};

  while (count < pieces_.size() && (flags & (kTcpPush | kTcpFin)) == 0) {
    const Bytes frame = peek();
    if (frame.size() <= header_bytes || frame.size() > first.size()) break;
    const std::size_t payload_bytes = frame.size() - header_bytes;
    if (packet_bytes + payload_bytes > kPacketBytesMax || !same_flow(first, frame, headers)) break;
    if (headers.tcp) {
      if (load_be32(frame, kOverheadBytes + headers.transport + 4) != expected) break;
      flags = load_u8(frame, flags_at);
      expected += static_cast<std::uint32_t>(payload_bytes);
    }
    (void)take();
    pieces_[count++] = {frame.data() + header_bytes, payload_bytes};
    packet_bytes += payload_bytes;
    if (payload_bytes < segment_bytes) break;
  }
  if (count > 1) finish(first, headers, segment_bytes, packet_bytes, flags);
  return std::span(pieces_).first(count);
}

Bytes Merge::take() noexcept {
  const Bytes frame = peek();
  buffer_ = buffer_.subspan(frame.size());
  return frame;
}

Bytes Merge::peek() const noexcept {
  return buffer_.first(std::min(datagram_bytes_, buffer_.size()));
}

bool Merge::parse(ConstBytes frame, Headers& headers) noexcept {
  const Vnet vnet = Vnet::load(frame.subspan(kPadBytes));
  const ConstBytes packet = frame.subspan(kOverheadBytes);
  if (vnet.gso_type != 0 || (vnet.flags & kVnetNeedsChecksum) == 0 || packet.size() < 28) return false;
  headers.v6 = (load_u8(packet, 0) >> 4) == 6;
  headers.transport = headers.v6 ? 40 : 20;
  if (!headers.v6 && (load_u8(packet, 0) != 0x45 || (load_be16(packet, 6) & 0x3fff) != 0)) return false;
  if (packet.size() < headers.transport || vnet.checksum_start != headers.transport) return false;
  const std::uint8_t protocol = load_u8(packet, headers.v6 ? 6 : 9);
  if (protocol != kTcp && protocol != kUdp) return false;
  headers.tcp = protocol == kTcp;
  const std::size_t least = headers.transport + (headers.tcp ? kTcpHeaderBytesMin : kUdpHeaderBytes);
  if (packet.size() < least) return false;
  headers.bytes =
      headers.tcp ? headers.transport + std::size_t{4} * (load_u8(packet, headers.transport + 12) / 16u) : least;
  const std::size_t stated = headers.v6 ? 40u + load_be16(packet, 4) : load_be16(packet, 2);
  return stated == packet.size() && headers.bytes < packet.size() && headers.bytes >= least;
}

// `next` is at least as long as the headers of `first`. Compared is all that a receiver could tell apart, but for the
// fields that differ by nature: lengths, identification, checksums, sequence number, PSH and FIN.
bool Merge::same_flow(ConstBytes first, ConstBytes next, const Headers& headers) noexcept {
  const auto equal = [&](std::size_t from, std::size_t to) {
    return std::memcmp(first.data() + kOverheadBytes + from, next.data() + kOverheadBytes + from, to - from) == 0;
  };
  if (std::memcmp(first.data() + kPadBytes, next.data() + kPadBytes, kVnetBytes) != 0) return false;
  if (headers.v6 ? !equal(0, 4) || !equal(6, 40) : !equal(0, 2) || !equal(6, 10) || !equal(12, 20)) return false;
  const std::size_t t = headers.transport;
  if (!equal(t, t + 4)) return false;
  const std::size_t total_at = kOverheadBytes + (headers.v6 ? 4 : 2);
  const std::size_t stated = load_be16(next, total_at) + (headers.v6 ? 40u : 0u);
  if (stated + kOverheadBytes != next.size()) return false;
  if (!headers.tcp) return true;
  constexpr std::uint8_t kMayDiffer = kTcpPush | kTcpFin;
  const std::uint8_t flags = load_u8(first, kOverheadBytes + t + 13) ^ load_u8(next, kOverheadBytes + t + 13);
  return equal(t + 8, t + 13) && (flags & static_cast<std::uint8_t>(~kMayDiffer)) == 0 && equal(t + 14, t + 16) &&
         equal(t + 18, headers.bytes);
}

void Merge::finish(Bytes first, const Headers& headers, std::size_t segment_bytes, std::size_t packet_bytes,
                   std::uint8_t last_flags) noexcept {
  Vnet vnet = Vnet::load(first.subspan(kPadBytes));
  vnet.gso_type = !headers.tcp ? kVnetUdp : headers.v6 ? kVnetTcpV6 : kVnetTcpV4;
  vnet.gso_bytes = static_cast<std::uint16_t>(segment_bytes);
  vnet.header_bytes = static_cast<std::uint16_t>(headers.bytes);
  vnet.store(first.subspan(kPadBytes));

  const Bytes packet = first.subspan(kOverheadBytes);
  if (headers.v6) {
    store_be16(packet, 4, static_cast<std::uint16_t>(packet_bytes - 40));
  } else {
    store_be16(packet, 2, static_cast<std::uint16_t>(packet_bytes));
    store_be16(packet, 10, 0);
    store_be16(packet, 10, static_cast<std::uint16_t>(~fold(sum_words(packet.first(headers.transport)))));
  }
  const std::size_t transport_bytes = packet_bytes - headers.transport;
  const std::uint16_t partial = fold(pseudo_sum(packet, headers.v6, headers.tcp ? kTcp : kUdp) + transport_bytes);
  if (headers.tcp) {
    store_u8(packet, headers.transport + 13, last_flags);
    store_be16(packet, headers.transport + 16, partial);
  } else {
    store_be16(packet, headers.transport + 4, static_cast<std::uint16_t>(transport_bytes));
    store_be16(packet, headers.transport + 6, partial);
  }
}

}  // namespace fireline::forwarder
