#include "core/packet/icmp_error.h"

#include <algorithm>
#include <cstring>

#include "core/packet/checksum.h"

namespace fireline::packet {
namespace {

constexpr std::size_t kIpv4QuotedBytes = 8;  // behind the quoted IPv4 header (RFC 792)
constexpr std::size_t kIpv6QuotedBytes = kIcmpErrorBytes - kIpv6HeaderBytes - kIcmpHeaderBytes;
constexpr std::size_t kIpv4HeaderBytesMax = 60;
static_assert(kIpv4HeaderBytes + kIcmpHeaderBytes + kIpv4HeaderBytesMax + kIpv4QuotedBytes <= kIcmpErrorBytes);

struct TypeAndCode {
  std::uint8_t type;
  std::uint8_t code;
};

TypeAndCode type_and_code_of(IcmpReason reason, bool is_v4) noexcept {
  switch (reason) {
    case IcmpReason::too_big:
      return is_v4 ? TypeAndCode{3, 4} : TypeAndCode{2, 0};
    case IcmpReason::no_route:
      return is_v4 ? TypeAndCode{3, 1} : TypeAndCode{1, 0};
    case IcmpReason::prohibited:
      return is_v4 ? TypeAndCode{3, 13} : TypeAndCode{1, 1};
    case IcmpReason::network:
      return is_v4 ? TypeAndCode{3, 0} : TypeAndCode{1, 3};
  }
  return {};
}

bool is_host(ConstBytes address) noexcept {
  if (std::ranges::all_of(address, [](std::byte b) { return b == std::byte{0}; })) return false;
  const std::uint8_t first = load_u8(address, 0);
  if (address.size() == 16) return first != 0xFF;
  const bool multicast = first >> 4 == 14;
  return !multicast && load_be32(address, 0) != 0xFFFF'FFFF;
}

void write_ipv4_header(const IpAddress& source, ConstBytes destination, std::size_t total, Bytes out) noexcept {
  constexpr std::uint16_t kDontFragment = 0x4000;
  store_be16(out, 0, 0x4500);
  store_be16(out, 2, static_cast<std::uint16_t>(total));
  store_be16(out, 4, 0);
  store_be16(out, 6, kDontFragment);
  store_u8(out, 8, kIcmpHopLimit);
  store_u8(out, 9, kProtocolIcmp);
  store_be16(out, 10, 0);
  std::ranges::copy(source.bytes(), out.begin() + 12);
  std::ranges::copy(destination, out.begin() + 16);
  store_be16(out, 10, checksum_of(sum(out.first(kIpv4HeaderBytes))));
}

void write_ipv6_header(const IpAddress& source, ConstBytes destination, std::size_t total, Bytes out) noexcept {
  store_be32(out, 0, 0x6000'0000);
  store_be16(out, 4, static_cast<std::uint16_t>(total - kIpv6HeaderBytes));
  store_u8(out, 6, kProtocolIcmp6);
  store_u8(out, 7, kIcmpHopLimit);
  std::ranges::copy(source.bytes(), out.begin() + 8);
  std::ranges::copy(destination, out.begin() + 24);
}

}  // namespace

Result<std::size_t, IcmpRefusal> build_icmp_error(IcmpReason reason, std::uint32_t mtu, const IpAddress& source,
                                                  ConstBytes offending, Bytes out) noexcept {
  const auto packet = IpPacket::parse(offending);
  if (!packet) return err(IcmpRefusal::bad_packet);
  if (packet->is_later_fragment()) return err(IcmpRefusal::fragment);
  if (may_be_icmp_error(*packet)) return err(IcmpRefusal::icmp_error);
  if (!is_host(packet->source()) || !is_host(packet->destination())) return err(IcmpRefusal::bad_address);
  if (source.family() != packet->family()) return err(IcmpRefusal::wrong_family);
  if (out.size() < kIcmpErrorBytes) return err(IcmpRefusal::small_buffer);

  const bool is_v4 = packet->is_v4();
  const std::size_t ip_bytes = is_v4 ? kIpv4HeaderBytes : kIpv6HeaderBytes;
  // Authentication headers count as data here: what is quoted is the IPv4 header and what follows it.
  const std::size_t ipv4_header_bytes = std::size_t{load_u8(packet->bytes(), 0) & 0x0Fu} * 4;
  const std::size_t quoted = std::min(packet->size(), is_v4 ? ipv4_header_bytes + kIpv4QuotedBytes : kIpv6QuotedBytes);
  const std::size_t total = ip_bytes + kIcmpHeaderBytes + quoted;
  out = out.first(total);

  const Bytes icmp = out.subspan(ip_bytes);
  const TypeAndCode what = type_and_code_of(reason, is_v4);
  store_u8(icmp, 0, what.type);
  store_u8(icmp, 1, what.code);
  store_be16(icmp, 2, 0);
  // RFC 1191 has 16 bits for the MTU, behind 16 that are zero; RFC 4443 has 32.
  const std::uint32_t mtu_max = is_v4 ? 0xFFFF : 0xFFFF'FFFF;
  store_be32(icmp, 4, reason == IcmpReason::too_big ? std::min(mtu, mtu_max) : 0);
  std::ranges::copy(packet->bytes().first(quoted), icmp.begin() + kIcmpHeaderBytes);

  if (is_v4) {
    write_ipv4_header(source, packet->source(), total, out);
    store_be16(icmp, 2, checksum_of(sum(icmp)));
  } else {
    write_ipv6_header(source, packet->source(), total, out);
    const Sum pseudo =
        pseudo_header_sum(source.bytes(), packet->source(), kProtocolIcmp6, static_cast<std::uint32_t>(icmp.size()));
    store_be16(icmp, 2, checksum_of(sum(icmp, pseudo)));
  }
  return total;
}

bool is_icmp_error(const IpPacket& packet) noexcept {
  if (!packet.transport_valid()) return false;
  const bool is_icmp6 = packet.protocol() == kProtocolIcmp6;
  if (!is_icmp6 && packet.protocol() != kProtocolIcmp) return false;
  const std::uint8_t type = load_u8(packet.transport(), 0);
  return is_icmp6 ? type >= 1 && type <= 4 : type == 3 || type == 11 || type == 12;
}

bool may_be_icmp_error(const IpPacket& packet) noexcept {
  const bool is_icmp4 = packet.protocol() == kProtocolIcmp;
  const bool is_icmp6 = packet.protocol() == kProtocolIcmp6;
  if (!is_icmp4 && !is_icmp6) return false;
  if (packet.transport().empty()) return true;
  const std::uint8_t type = load_u8(packet.transport(), 0);
  if (is_icmp6) return type < 128 || type == 137;
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

bool is_icmp_echo(const IpPacket& packet) noexcept {
  if (!packet.transport_valid()) return false;
  const bool is_icmp6 = packet.protocol() == kProtocolIcmp6;
  if (!is_icmp6 && packet.protocol() != kProtocolIcmp) return false;
  const std::uint8_t type = load_u8(packet.transport(), 0);
  return is_icmp6 ? type == 128 || type == 129 : type == 8 || type == 0;
}

bool IcmpRateLimiter::allow(Instant now) noexcept {
  const Instant full = now - capacity_;
  const Instant empty_at = empty_at_ ? std::max(*empty_at_, full) : full;
  if (now - empty_at < interval_) return false;
  empty_at_ = empty_at + interval_;
  return true;
}

}  // namespace fireline::packet
