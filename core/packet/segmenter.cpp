#include "core/packet/segmenter.h"

#include <cstring>

#include "core/packet/ip_packet.h"

namespace fireline::packet {
namespace {

constexpr std::uint16_t kFinAndPush = 0x0009;
constexpr std::uint16_t kCwr = 0x0080;
constexpr std::size_t kTcpChecksumOffset = 16;
constexpr std::size_t kUdpChecksumOffset = 6;

// For fields of the packet being written, whose place make() checked once for all segments.
void put_be16(std::byte* to, std::uint16_t value) noexcept {
  value = wire_detail::big(value);
  std::memcpy(to, &value, sizeof(value));
}
void put_be32(std::byte* to, std::uint32_t value) noexcept {
  value = wire_detail::big(value);
  std::memcpy(to, &value, sizeof(value));
}
constexpr Sum long_word_sum(std::uint32_t value) noexcept {
  return wire_detail::big(value);
}

}  // namespace

Result<Segmenter, SegmentError> Segmenter::make(const TunPacket& packet) noexcept {
  const auto header = IpHeader::parse(packet.bytes);
  if (!header) return err(SegmentError::bad_packet);

  Segmenter segmenter;
  segmenter.packet_ = packet.bytes.data();
  segmenter.family_ = header->family();
  segmenter.ecn_ = header->ecn();
  if (packet.offload.segmentation != Segmentation::none) return segmenter.prepare_super_packet(packet);

  segmenter.last_bytes_ = static_cast<std::uint32_t>(header->size());
  if (packet.offload.needs_checksum) {
    segmenter.kind_ = Kind::copy_and_complete;
    segmenter.checksum_start_ = packet.offload.checksum_start;
    segmenter.checksum_offset_ = packet.offload.checksum_offset;
    const std::size_t field_end = std::size_t{segmenter.checksum_start_} + segmenter.checksum_offset_ + 2;
    if (field_end > header->size()) return err(SegmentError::bad_checksum);
  }
  return segmenter;
}

Result<Segmenter, SegmentError> Segmenter::prepare_super_packet(const TunPacket& packet) noexcept {
  const auto parsed = IpPacket::parse(packet.bytes);
  if (!parsed) return err(SegmentError::bad_packet);
  const bool is_tcp = packet.offload.segmentation != Segmentation::udp;
  const bool family_matches = !is_tcp || parsed->is_v4() == (packet.offload.segmentation == Segmentation::tcp4);
  if (!family_matches || parsed->is_fragment()) return err(SegmentError::wrong_protocol);
  if (parsed->protocol() != (is_tcp ? kProtocolTcp : kProtocolUdp)) return err(SegmentError::wrong_protocol);
  if (!parsed->transport_valid()) return err(SegmentError::bad_transport);

  const ConstBytes bytes = parsed->bytes();
  header_bytes_ = static_cast<std::uint32_t>(parsed->all_header_bytes());
  ip_header_bytes_ = static_cast<std::uint32_t>(parsed->header_bytes());
  segment_bytes_ = packet.offload.segment_bytes;
  const auto payload_bytes = static_cast<std::uint32_t>(bytes.size()) - header_bytes_;
  if (segment_bytes_ == 0 || payload_bytes == 0) return err(SegmentError::empty_segment);
  count_ = (payload_bytes + segment_bytes_ - 1) / segment_bytes_;
#ifdef FIRELINE_PLANTED_BUG
  if (count_ > kSegmentsMax + 16) return err(SegmentError::too_many_segments);
#else
  if (count_ > kSegmentsMax) return err(SegmentError::too_many_segments);
#endif
  last_bytes_ = payload_bytes - (count_ - 1) * segment_bytes_;

  if (packet.offload.needs_checksum) {
    const std::size_t field = is_tcp ? kTcpChecksumOffset : kUdpChecksumOffset;
    if (packet.offload.checksum_start != ip_header_bytes_ || packet.offload.checksum_offset != field) {
      return err(SegmentError::bad_checksum);
    }
  }

  if (family_ == Family::v4) {
    first_id_ = load_be16(bytes, 4);
    // Everything but total length (2), identification (4) and checksum (10).
    ip_sum_ = sum(bytes.first(2)) + sum(bytes.subspan(6, 4)) + sum(bytes.subspan(12, ip_header_bytes_ - 12));
  }
  const ConstBytes transport = bytes.subspan(ip_header_bytes_, header_bytes_ - ip_header_bytes_);
  const std::size_t fixed_header_bytes = family_ == Family::v4 ? kIpv4HeaderBytes : kIpv6HeaderBytes;
  if (packet.offload.needs_checksum && ip_header_bytes_ > fixed_header_bytes) {
    // A routing header names another destination than the one that counts (RFC 8200 section 8.1); the sender has summed
    // the right one, with the length of the whole.
    const std::uint16_t partial = load_be16(transport, is_tcp ? kTcpChecksumOffset : kUdpChecksumOffset);
    transport_sum_ = word_sum(partial) + word_sum(static_cast<std::uint16_t>(~(transport.size() + payload_bytes)));
  } else {
    transport_sum_ = pseudo_header_sum(parsed->source(), parsed->destination(), parsed->protocol(), 0);
  }
  if (is_tcp) {
    kind_ = Kind::tcp;
    sequence_ = load_be32(transport, 4);
    flags_word_ = load_be16(transport, 12);
    // Everything but sequence (4), flags (12) and checksum (16).
    transport_sum_ += sum(transport.first(4)) + sum(transport.subspan(8, 4)) + sum(transport.subspan(14, 2)) +
                      sum(transport.subspan(18));
  } else {
    const bool no_checksum = family_ == Family::v4 && !packet.offload.needs_checksum && load_be16(transport, 6) == 0;
    kind_ = no_checksum ? Kind::udp_no_checksum : Kind::udp;
    transport_sum_ += sum(transport.first(4));
  }
  return *this;
}

void Segmenter::write(std::size_t index, std::byte* to) const noexcept {
  switch (kind_) {
    case Kind::tcp:
      return write_tcp(index, to);
    case Kind::udp:
    case Kind::udp_no_checksum:
      return write_udp(index, to);
    case Kind::copy:
      std::memcpy(to, packet_, last_bytes_);
      return;
    case Kind::copy_and_complete: {
      std::memcpy(to, packet_, checksum_start_);
      const Sum total = copy_and_sum(to + checksum_start_, packet_ + checksum_start_, last_bytes_ - checksum_start_);
      put_be16(to + checksum_start_ + checksum_offset_, udp_checksum_of(total));
      return;
    }
  }
}

void Segmenter::write_tcp(std::size_t index, std::byte* to) const noexcept {
  const bool is_last = index + 1 == count_;
  const std::uint32_t payload_bytes = is_last ? last_bytes_ : segment_bytes_;
  const std::size_t from = header_bytes_ + index * segment_bytes_;
  std::memcpy(to, packet_, header_bytes_);
  write_ip_header(index, header_bytes_ + payload_bytes, to);

  std::uint16_t flags_word = flags_word_;
  if (!is_last) flags_word = static_cast<std::uint16_t>(flags_word & ~kFinAndPush);
  if (index > 0) flags_word = static_cast<std::uint16_t>(flags_word & ~kCwr);
  const auto sequence = static_cast<std::uint32_t>(sequence_ + index * segment_bytes_);
  std::byte* const transport = to + ip_header_bytes_;
  put_be32(transport + 4, sequence);
  put_be16(transport + 12, flags_word);

  // Each addend is far below 2^63: plain sums cannot overflow.
  Sum total = transport_sum_ + long_word_sum(sequence) + word_sum(flags_word) +
              word_sum(static_cast<std::uint16_t>(header_bytes_ - ip_header_bytes_ + payload_bytes));
  total = copy_and_sum(to + header_bytes_, packet_ + from, payload_bytes, total);
  put_be16(transport + kTcpChecksumOffset, checksum_of(total));
}

void Segmenter::write_udp(std::size_t index, std::byte* to) const noexcept {
  const std::uint32_t payload_bytes = index + 1 == count_ ? last_bytes_ : segment_bytes_;
  const std::size_t from = header_bytes_ + index * segment_bytes_;
  std::memcpy(to, packet_, header_bytes_);
  write_ip_header(index, header_bytes_ + payload_bytes, to);

  const auto udp_bytes = static_cast<std::uint16_t>(kUdpHeaderBytes + payload_bytes);
  std::byte* const transport = to + ip_header_bytes_;
  put_be16(transport + 4, udp_bytes);
  // The length counts twice: in the pseudo-header and in the header.
  Sum total = transport_sum_ + 2 * word_sum(udp_bytes);
  total = copy_and_sum(to + header_bytes_, packet_ + from, payload_bytes, total);
  put_be16(transport + kUdpChecksumOffset, kind_ == Kind::udp ? udp_checksum_of(total) : std::uint16_t{0});
}

void Segmenter::write_ip_header(std::size_t index, std::size_t length, std::byte* to) const noexcept {
  if (family_ == Family::v6) {
    put_be16(to + 4, static_cast<std::uint16_t>(length - kIpv6HeaderBytes));
    return;
  }
  const auto id = static_cast<std::uint16_t>(first_id_ + index);
  put_be16(to + 2, static_cast<std::uint16_t>(length));
  put_be16(to + 4, id);
  put_be16(to + 10, checksum_of(ip_sum_ + word_sum(static_cast<std::uint16_t>(length)) + word_sum(id)));
}

}  // namespace fireline::packet
