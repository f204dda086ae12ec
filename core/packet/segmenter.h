// Cuts one packet read from the TUN into the IP packets that go into the tunnel: a TSO or USO super-packet into its
// segments, anything else into itself with its checksum finished. Headers and checksums as platform rule 1.3 of the
// read side; the lengths come from the packet, never from virtio_net_hdr::hdr_len.
//
// Use: make(), then write() each index straight to its final place. Copying a segment and summing it is one pass, and
// what does not differ between segments was summed once by make().
//
// Lifetime: borrows the bytes of the TunPacket, unchanged, until the last write(). Threads: any; write() is const.
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/base/result.h"
#include "core/packet/batch.h"
#include "core/packet/checksum.h"

namespace fireline::packet {

// 64 KiB in segments of 256 bytes. Smaller ones are no MTU that anybody runs, and a turn's work stays bounded.
inline constexpr std::size_t kSegmentsMax = 256;

// Why a packet from the TUN cannot be sent; the caller counts each.
enum class SegmentError : std::uint8_t {
  bad_packet,         // no IP packet, or its length field exceeds the bytes
  wrong_protocol,     // segmentation does not match IP version and transport protocol, or the packet is a fragment
  bad_transport,      // TCP or UDP header of a super-packet incomplete or inconsistent
  empty_segment,      // segment size zero, or a super-packet without payload
  too_many_segments,  // more than kSegmentsMax
  bad_checksum,       // the checksum field to be finished lies outside of the packet
};

class Segmenter {
 public:
  [[nodiscard]] static Result<Segmenter, SegmentError> make(const TunPacket& packet) noexcept;

  // 1 to kSegmentsMax; 1 without segmentation.
  [[nodiscard]] std::size_t segment_count() const noexcept { return count_; }
  // Bytes of segment `index` as an IP packet. All are equally long but the last, which may be shorter.
  [[nodiscard]] std::size_t segment_length(std::size_t index) const noexcept {
    return index + 1 < count_ ? header_bytes_ + segment_bytes_ : header_bytes_ + last_bytes_;
  }
  // Of the packet and of each of its segments.
  [[nodiscard]] Ecn ecn() const noexcept { return ecn_; }
  [[nodiscard]] Family family() const noexcept { return family_; }
  // 4 or 16 bytes in network order, inside the packet: what the allowed-IPs are asked for.
  [[nodiscard]] ConstBytes destination() const noexcept {
    return {packet_ + (family_ == Family::v4 ? 16 : 24), family_ == Family::v4 ? 4u : 16u};
  }

  // Writes segment_length(index) bytes; `to` must not overlap the packet. index < segment_count().
  void write(std::size_t index, std::byte* to) const noexcept;

 private:
  enum class Kind : std::uint8_t { copy, copy_and_complete, tcp, udp, udp_no_checksum };

  Segmenter() = default;
  [[nodiscard]] Result<Segmenter, SegmentError> prepare_super_packet(const TunPacket& packet) noexcept;
  void write_tcp(std::size_t index, std::byte* to) const noexcept;
  void write_udp(std::size_t index, std::byte* to) const noexcept;
  void write_ip_header(std::size_t index, std::size_t length, std::byte* to) const noexcept;

  const std::byte* packet_ = nullptr;
  Sum ip_sum_ = 0;         // IPv4 header without total length, id and checksum
  Sum transport_sum_ = 0;  // pseudo-header without length; transport header without the fields that differ
  std::uint32_t sequence_ = 0;
  std::uint32_t header_bytes_ = 0;     // IP and transport header of each segment; 0 when copied whole
  std::uint32_t ip_header_bytes_ = 0;  // options and extension headers included
  std::uint32_t segment_bytes_ = 0;    // payload of all segments but the last
  std::uint32_t last_bytes_ = 0;       // payload of the last
  std::uint32_t count_ = 1;
  std::uint16_t checksum_start_ = 0;
  std::uint16_t checksum_offset_ = 0;
  std::uint16_t first_id_ = 0;
  std::uint16_t flags_word_ = 0;  // TCP data offset and flags, host order
  Kind kind_ = Kind::copy;
  Ecn ecn_ = Ecn::not_ect;
  Family family_ = Family::v4;
};

}  // namespace fireline::packet
