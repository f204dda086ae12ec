// Read-only views of one IP packet inside a longer buffer (RFC 791, RFC 8200).
// Two levels: IpHeader reads what routing needs and no more; IpPacket also finds the transport header.
// Borrow the bytes: the buffer must outlive the view. No allocation; any thread.
//
//    0                   1                   2                   3
//   |Ver=4| IHL |   TOS   |         Total Length          |   0      |Ver=6| Traffic Class |    Flow Label     |
//   |        Identification       |Flags| Fragment Offset |   4      |   Payload Length    | Next Hdr| Hop Limit |
//   |   TTL   |  Protocol |        Header Checksum        |   8      |          Source (8 to 23)               |
//   |        Source (12)          |   Destination (16)    |          |          Destination (24 to 39)         |
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/base/wire.h"
#include "core/packet/batch.h"

namespace fireline::packet {

inline constexpr std::size_t kIpv4HeaderBytes = 20;  // without options
inline constexpr std::size_t kIpv6HeaderBytes = 40;
inline constexpr std::size_t kTcpHeaderBytes = 20;  // without options
inline constexpr std::size_t kUdpHeaderBytes = 8;
inline constexpr std::size_t kIcmpHeaderBytes = 8;

// RFC 8200 section 4.1 recommends seven headers, each once and destination options twice: eight end every honest chain.
inline constexpr std::size_t kExtensionHeadersMax = 8;

enum class PacketError : std::uint8_t {
  too_short,          // fewer bytes than the fixed header
  bad_version,        // neither 4 nor 6
  bad_header_length,  // IHL below 5, or more than the total length
  bad_length,         // more than the bytes there are
  bad_extension,      // extension or authentication header cut off, or more than kExtensionHeadersMax
};

class IpHeader {
 public:
  // Version and lengths. `bytes` may be longer than the packet (WireGuard's padding).
  [[nodiscard]] static Result<IpHeader, PacketError> parse(ConstBytes bytes) noexcept;

  [[nodiscard]] bool is_v4() const noexcept { return is_v4_; }
  [[nodiscard]] Family family() const noexcept { return is_v4_ ? Family::v4 : Family::v6; }
  // The packet alone: cut to the length that its header says.
  [[nodiscard]] ConstBytes bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }

  // 4 or 16 bytes in network order.
  [[nodiscard]] ConstBytes source() const noexcept { return is_v4_ ? bytes_.subspan(12, 4) : bytes_.subspan(8, 16); }
  [[nodiscard]] ConstBytes destination() const noexcept {
    return is_v4_ ? bytes_.subspan(16, 4) : bytes_.subspan(24, 16);
  }
  [[nodiscard]] IpAddress source_address() const noexcept { return IpAddress::from_bytes(source()); }
  [[nodiscard]] IpAddress destination_address() const noexcept { return IpAddress::from_bytes(destination()); }

  // IPv4 TOS or IPv6 traffic class.
  [[nodiscard]] std::uint8_t traffic_class() const noexcept {
    return is_v4_ ? load_u8(bytes_, 1) : static_cast<std::uint8_t>(load_be16(bytes_, 0) >> 4);
  }
  [[nodiscard]] Ecn ecn() const noexcept { return static_cast<Ecn>(traffic_class() & 3u); }
  [[nodiscard]] std::uint8_t hop_limit() const noexcept { return load_u8(bytes_, is_v4_ ? 8 : 7); }

 private:
  IpHeader(ConstBytes bytes, bool is_v4) noexcept : bytes_(bytes), is_v4_(is_v4) {}

  ConstBytes bytes_;  // at least the fixed header
  bool is_v4_;
};

class IpPacket : public IpHeader {
 public:
  // Everything in IpHeader::parse, then the way to the transport header. A transport header that is missing or
  // inconsistent is no error here, since a plain tunnel forwards it: see transport_valid().
  [[nodiscard]] static Result<IpPacket, PacketError> parse(ConstBytes bytes) noexcept;

  // The transport protocol behind extension headers (IPv6) and authentication headers (both).
  [[nodiscard]] std::uint8_t protocol() const noexcept { return protocol_; }
  // Bytes before the transport header, options and extension headers included.
  [[nodiscard]] std::size_t header_bytes() const noexcept { return header_bytes_; }
  // Transport header and payload; of a later fragment, its data.
  [[nodiscard]] ConstBytes transport() const noexcept { return bytes().subspan(header_bytes_); }

  // More fragments follow, or the offset is not zero. An IPv6 "atomic" fragment (RFC 6946) is none.
  [[nodiscard]] bool is_fragment() const noexcept { return fragment_; }
  // A fragment that does not begin with the transport header.
  [[nodiscard]] bool is_later_fragment() const noexcept { return later_fragment_; }
  // It names hosts to pass on its way (RFC 7126 section 4.3, RFC 5095): whoever checks its destination checks one of
  // them. IPv4 options that nobody can read count as such, a routing header with its way behind it (RFC 8200 section
  // 4.4) does not, unless it is of type 0.
  [[nodiscard]] bool is_source_routed() const noexcept { return source_routed_; }
  // IPv4: the DF bit; IPv6 is never fragmented on the way.
  [[nodiscard]] bool dont_fragment() const noexcept { return !is_v4() || (load_u8(bytes(), 6) & 0x40u) != 0; }

  // TCP, UDP and ICMP headers complete, TCP data offset inside and UDP length equal to what is there (tunnel rules of
  // validation); ICMP of the right version. True for other protocols; false for fragments of these.
  [[nodiscard]] bool transport_valid() const noexcept { return transport_valid_; }
  // TCP and UDP with transport_valid(); else zero.
  [[nodiscard]] std::uint16_t source_port() const noexcept { return source_port_; }
  [[nodiscard]] std::uint16_t destination_port() const noexcept { return destination_port_; }
  // IP and transport header of TCP and UDP with transport_valid(); else header_bytes().
  [[nodiscard]] std::size_t all_header_bytes() const noexcept { return all_header_bytes_; }

 private:
  explicit IpPacket(const IpHeader& header) noexcept : IpHeader(header) {}
  [[nodiscard]] bool skip_extensions() noexcept;
  void read_transport() noexcept;

  std::size_t header_bytes_ = 0;
  std::size_t all_header_bytes_ = 0;
  std::uint16_t source_port_ = 0;
  std::uint16_t destination_port_ = 0;
  std::uint8_t protocol_ = 0;
  bool fragment_ = false;
  bool later_fragment_ = false;
  bool source_routed_ = false;
  bool transport_valid_ = false;
};

inline Result<IpHeader, PacketError> IpHeader::parse(ConstBytes bytes) noexcept {
  if (bytes.size() < kIpv4HeaderBytes) return err(PacketError::too_short);
  const unsigned first = load_u8(bytes, 0);
  if (first >> 4 == 4) {
    const std::size_t header = std::size_t{first & 0x0Fu} * 4;
    const std::size_t total = load_be16(bytes, 2);
    if (header < kIpv4HeaderBytes || header > total) return err(PacketError::bad_header_length);
    if (total > bytes.size()) return err(PacketError::bad_length);
    return IpHeader(bytes.first(total), true);
  }
  if (first >> 4 != 6) return err(PacketError::bad_version);
  if (bytes.size() < kIpv6HeaderBytes) return err(PacketError::too_short);
  const std::size_t total = kIpv6HeaderBytes + load_be16(bytes, 4);
  if (total > bytes.size()) return err(PacketError::bad_length);
  return IpHeader(bytes.first(total), false);
}

}  // namespace fireline::packet
