#include "tools/forwarder/train.h"

#include <algorithm>

namespace fireline::forwarder {

bool Train::cut(Bytes frame) noexcept {
  if (frame.size() <= kOverheadBytes) return false;
  const Vnet vnet = Vnet::load(frame.subspan(kPadBytes));
  if (vnet.gso_type == 0) {
    pieces_[0] = {frame.data(), frame.size()};
    datagrams_ = 1;
    pieces_per_datagram_ = 1;
    datagram_bytes_ = frame.size();
    return true;
  }

  const Bytes packet = frame.subspan(kOverheadBytes);
  const bool tcp = vnet.gso_type == kVnetTcpV4 || vnet.gso_type == kVnetTcpV6;
  if (!tcp && vnet.gso_type != kVnetUdp) return false;
  // The transport header starts where its checksum starts, extension headers or not.
  const std::size_t transport = vnet.checksum_start;
  const std::size_t least = tcp ? kTcpHeaderBytesMin : kUdpHeaderBytes;
  if (transport < 20 || transport + least > packet.size()) return false;
  const bool v6 = (load_u8(packet, 0) >> 4) == 6;
  if (v6 && transport < 40) return false;
  const std::size_t transport_bytes = tcp ? std::size_t{load_u8(packet, transport + 12)} / 16 * 4 : least;
  if (transport_bytes < least) return false;
  const std::size_t header_bytes = transport + transport_bytes;
  const std::size_t segment_bytes = vnet.gso_bytes;
  if (header_bytes > kHeaderBytesMax || header_bytes >= packet.size() || segment_bytes == 0) return false;
  const std::size_t payload_bytes = packet.size() - header_bytes;
  const std::size_t count = (payload_bytes + segment_bytes - 1) / segment_bytes;
#ifndef FIRELINE_PLANTED_BUG
  if (count > kDatagramsMax) return false;
#endif

  // The template: everything that the segments share. What differs is summed into the checksums below.
  std::array<std::byte, kOverheadBytes + kHeaderBytesMax> image{};
  Vnet segment_vnet = vnet;
  segment_vnet.gso_type = 0;
  segment_vnet.gso_bytes = 0;
  segment_vnet.store(Bytes(image).subspan(kPadBytes));
  const Bytes headers = Bytes(image).subspan(kOverheadBytes, header_bytes);
  std::memcpy(headers.data(), packet.data(), header_bytes);
  const std::uint16_t identification = v6 ? std::uint16_t{0} : load_be16(packet, 4);
  std::uint64_t ip_sum = 0;
  if (!v6) {
    store_be16(headers, 2, 0);
    store_be16(headers, 4, 0);
    store_be16(headers, 10, 0);
    ip_sum = sum_words(headers.first(transport));
  }
  const std::uint64_t pseudo = pseudo_sum(packet, v6, tcp ? kTcp : kUdp);
  const std::uint32_t sequence = tcp ? load_be32(packet, transport + 4) : 0;
  const std::uint8_t flags = tcp ? load_u8(packet, transport + 13) : std::uint8_t{0};

  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t offset = i * segment_bytes;
    const std::size_t bytes = std::min(segment_bytes, payload_bytes - offset);
    const Bytes slot = Bytes(slots_).subspan(i * kSlotBytes, kSlotBytes);
    std::memcpy(slot.data(), image.data(), kOverheadBytes + header_bytes);
    const Bytes header = slot.subspan(kOverheadBytes, header_bytes);
    const auto transport_length = static_cast<std::uint16_t>(transport_bytes + bytes);
    if (v6) {
      store_be16(header, 4, static_cast<std::uint16_t>(header_bytes + bytes - 40));
    } else {
      const auto total = static_cast<std::uint16_t>(header_bytes + bytes);
      const auto id = static_cast<std::uint16_t>(identification + i);
      store_be16(header, 2, total);
      store_be16(header, 4, id);
      store_be16(header, 10, static_cast<std::uint16_t>(~fold(ip_sum + total + id)));
    }
    const std::uint16_t partial = fold(pseudo + transport_length);
    if (tcp) {
      store_be32(header, transport + 4, sequence + static_cast<std::uint32_t>(offset));
      std::uint8_t kept = flags;
      if (i != 0) kept &= static_cast<std::uint8_t>(~kTcpCwr);
      if (i + 1 != count) kept &= static_cast<std::uint8_t>(~(kTcpPush | kTcpFin));
      store_u8(header, transport + 13, kept);
      store_be16(header, transport + 16, partial);
    } else {
      store_be16(header, transport + 4, transport_length);
      store_be16(header, transport + 6, partial);
    }
    pieces_[2 * i] = {slot.data(), kOverheadBytes + header_bytes};
    pieces_[2 * i + 1] = {packet.data() + header_bytes + offset, bytes};
  }
  datagrams_ = count;
  pieces_per_datagram_ = 2;
  datagram_bytes_ = kOverheadBytes + header_bytes + std::min(segment_bytes, payload_bytes);
  return true;
}

std::size_t Train::datagrams_per_send() const noexcept {
  return std::clamp<std::size_t>(kDatagramBytesMax / datagram_bytes_, 1, kTrainMax);
}

std::span<iovec> Train::pieces(std::size_t first, std::size_t count) noexcept {
  return std::span(pieces_).subspan(first * pieces_per_datagram_, count * pieces_per_datagram_);
}

}  // namespace fireline::forwarder
