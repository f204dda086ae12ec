#include "io/control_message.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <cstring>
#include <span>

namespace fireline::io {
namespace {

// Appends control messages to a buffer that is known to be large enough (kControlBytes).
class ControlWriter {
 public:
  explicit ControlWriter(ControlBuffer& buffer) noexcept : buffer_(buffer) {}

  template <class T>
  void append(int level, int type, const T& value) noexcept {
    static_assert(CMSG_SPACE(sizeof(T)) <= 40);
    cmsghdr header{};
    header.cmsg_len = CMSG_LEN(sizeof(T));
    header.cmsg_level = level;
    header.cmsg_type = type;
    std::byte* const place = buffer_.bytes.data() + used_;
    std::memcpy(place, &header, sizeof header);
    std::memcpy(place + CMSG_LEN(0), &value, sizeof value);
    used_ += CMSG_SPACE(sizeof(T));
  }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

 private:
  ControlBuffer& buffer_;
  std::size_t used_ = 0;
};

// An address alone picks the source; the routes go on to pick the interface, so that a changed route is followed at
// once. Link-local addresses mean nothing without their interface (RFC 4007).
bool needs_interface(const IpAddress& address) noexcept {
  const auto bytes = address.bytes();
  return !address.is_v4() && bytes[0] == std::byte{0xFE} && (bytes[1] & std::byte{0xC0}) == std::byte{0x80};
}

void append_local(ControlWriter& writer, const packet::LocalAddress& local, Family family) noexcept {
  if (family == Family::v4) {
    in_pktinfo info{};
    if (local.address.is_v4()) std::memcpy(&info.ipi_spec_dst, local.address.bytes().data(), sizeof info.ipi_spec_dst);
    writer.append(IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    if (needs_interface(local.address)) info.ipi6_ifindex = local.interface;
    if (!local.address.is_v4()) std::memcpy(&info.ipi6_addr, local.address.bytes().data(), sizeof info.ipi6_addr);
    writer.append(IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
}

// The value of a control message, when it is at least as long as T.
template <class T>
std::optional<T> value_of(const cmsghdr* header) noexcept {
  if (header->cmsg_len < CMSG_LEN(sizeof(T))) return std::nullopt;
  T value;
  std::memcpy(&value, CMSG_DATA(header), sizeof value);
  return value;
}

packet::Ecn ecn_of(unsigned traffic_class) noexcept {
  return static_cast<packet::Ecn>(traffic_class & 3U);
}

void read_one(const cmsghdr* header, ReceiveControl& control) noexcept {
  const int level = header->cmsg_level;
  const int type = header->cmsg_type;
  if (level == SOL_UDP && type == UDP_GRO) {
    control.segment_bytes = value_of<int>(header);
  } else if (level == IPPROTO_IP && type == IP_TOS) {
    if (const auto tos = value_of<std::uint8_t>(header)) control.ecn = ecn_of(*tos);
  } else if (level == IPPROTO_IPV6 && type == IPV6_TCLASS) {
    if (const auto traffic_class = value_of<int>(header)) control.ecn = ecn_of(static_cast<unsigned>(*traffic_class));
  } else if (level == IPPROTO_IP && type == IP_PKTINFO) {
    if (const auto info = value_of<in_pktinfo>(header)) {
      control.local.address = IpAddress::from_bytes(std::as_bytes(std::span(&info->ipi_spec_dst, 1)));
      control.local.interface = static_cast<std::uint32_t>(info->ipi_ifindex);
    }
  } else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO) {
    if (const auto info = value_of<in6_pktinfo>(header)) {
      control.local.address = IpAddress::from_bytes(std::as_bytes(std::span(&info->ipi6_addr, 1)));
      control.local.interface = info->ipi6_ifindex;
    }
  } else if (level == SOL_SOCKET && type == SO_RXQ_OVFL) {
    control.kernel_drops = value_of<std::uint32_t>(header);
  }
}

}  // namespace

void write_send_control(msghdr& message, ControlBuffer& buffer, Family family, const SendControl& control) noexcept {
  ControlWriter writer(buffer);
  if (control.segment_bytes != 0) writer.append(SOL_UDP, UDP_SEGMENT, control.segment_bytes);
  if (control.ecn != packet::Ecn::not_ect) {
    const int traffic_class = static_cast<int>(control.ecn);
    if (family == Family::v4) {
      writer.append(IPPROTO_IP, IP_TOS, traffic_class);
    } else {
      writer.append(IPPROTO_IPV6, IPV6_TCLASS, traffic_class);
    }
  }
  if (control.local != nullptr) append_local(writer, *control.local, family);
  message.msg_control = writer.used() != 0 ? buffer.bytes.data() : nullptr;
  message.msg_controllen = writer.used();
}

ReceiveControl read_receive_control(const msghdr& message) noexcept {
  ReceiveControl control;
  msghdr copy = message;  // CMSG_NXTHDR of older libraries wants a mutable one
  for (cmsghdr* header = CMSG_FIRSTHDR(&copy); header != nullptr; header = CMSG_NXTHDR(&copy, header)) {
    read_one(header, control);
  }
  return control;
}

}  // namespace fireline::io
