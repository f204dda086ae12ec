#include "relay/protocol/peer_rules.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "core/base/wire.h"

namespace fireline::relay {
namespace {

struct Range {
  std::uint32_t first;
  unsigned length;
  [[nodiscard]] constexpr bool contains(std::uint32_t address) const noexcept {
    return (address ^ first) >> (32 - length) == 0;
  }
};
constexpr std::array kNever4{
    Range{0x00000000, 8},   // "this network", RFC 1122
    Range{0x7F000000, 8},   // loopback
    Range{0xA9FE0000, 16},  // link-local; 169.254.169.254 is where clouds keep their secrets
    Range{0xE0000000, 4},   // multicast
    Range{0xFFFFFFFF, 32},  // broadcast
};
constexpr std::array kPrivate4{
    Range{0x0A000000, 8}, Range{0xAC100000, 12}, Range{0xC0A80000, 16},  // RFC 1918
    Range{0x64400000, 10},                                               // RFC 6598: carriers' NAT
};

template <std::size_t N>
bool any_contains(const std::array<Range, N>& ranges, std::uint32_t address) noexcept {
  return std::ranges::any_of(ranges, [&](const Range& range) { return range.contains(address); });
}
bool any_contains(const std::vector<Prefix>& prefixes, const IpAddress& address) noexcept {
  return std::ranges::any_of(prefixes, [&](const Prefix& prefix) { return prefix.contains(address); });
}

// The IPv4 addresses that an IPv6 address may stand for.
class Embedded {
 public:
  explicit Embedded(const IpAddress& address) noexcept {
    if (!address.is_v4()) find(address.bytes());
  }

  [[nodiscard]] const IpAddress* begin() const noexcept { return addresses_.data(); }
  [[nodiscard]] const IpAddress* end() const noexcept { return addresses_.data() + count_; }

 private:
  void find(ConstBytes bytes) noexcept {
    const std::uint64_t high = load_be64(bytes, 0);
    const std::uint64_t low = load_be64(bytes, 8);
    const std::uint64_t middle = low >> 32;
    if (high == 0 && middle == 0x0000FFFF) return add(load_be32(bytes, 12));           // ::ffff:0:0/96, RFC 4291
    if (high == 0 && middle == 0xFFFF0000) return add(load_be32(bytes, 12));           // ::ffff:0:0:0/96, RFC 2765
    if (high == 0 && middle == 0) return add(load_be32(bytes, 12));                    // ::/96, RFC 4291
    if (high >> 48 == 0x2002) return add(load_be32(bytes, 2));                         // 6to4, RFC 3056
    if (high == 0x0064FF9B'00000000 && middle == 0) return add(load_be32(bytes, 12));  // NAT64, RFC 6052
    if (high >> 16 == 0x0064FF9B'0001) return find_local_nat64(bytes);
    if (high >> 32 == 0x20010000) {  // Teredo, RFC 4380: the server's address, and the client's inverted
      add(load_be32(bytes, 4));
      return add(~load_be32(bytes, 12));
    }
    // ISATAP, RFC 5214: interface identifier 0:5efe:a.b.c.d, the universal bit either way.
    if ((middle & 0xFDFFFFFF) == 0x00005EFE) add(load_be32(bytes, 12));
  }

  // 64:ff9b:1::/48 (RFC 8215) leaves the length to the operator: an address in any of the places of RFC 6052
  // section 2.2 counts. Where one reads 0.x.x.x it reads the zeros around another.
  void find_local_nat64(ConstBytes bytes) noexcept {
    add_unless_padding(load_be32(bytes, 12));                    // /96
    add_unless_padding(load_be64(bytes, 8) >> 24 & 0xFFFFFFFF);  // /64: bytes 9 to 12
    const std::uint32_t five = load_u8(bytes, 7);                // /56: bytes 7, 9 to 11
    add_unless_padding(five << 24 | (load_be32(bytes, 8) & 0xFFFFFF));
    const std::uint32_t two = load_be16(bytes, 6);  // /48: bytes 6, 7, 9, 10
    add_unless_padding(two << 16 | (load_be32(bytes, 8) >> 8 & 0xFFFF));
    if (count_ == 0) add(load_be32(bytes, 12));
  }
  void add_unless_padding(std::uint64_t address) noexcept {
    if (address >> 24 != 0) add(static_cast<std::uint32_t>(address));
  }
  void add(std::uint32_t address) noexcept {
    std::array<std::byte, 4> bytes;
    store_be32(bytes, 0, address);
    addresses_[count_++] = IpAddress::from_bytes(bytes);
  }

  std::array<IpAddress, 4> addresses_;
  std::size_t count_ = 0;
};

bool is_never(const IpAddress& address) noexcept {
  if (address.is_v4()) return any_contains(kNever4, load_be32(address.bytes(), 0));
  const std::uint64_t high = load_be64(address.bytes(), 0);
  const std::uint64_t low = load_be64(address.bytes(), 8);
  return (high == 0 && low <= 1)  // ::, ::1
         || high >> 56 == 0xFF    // multicast
         || high >> 54 == 0x3FA;  // fe80::/10 link-local
}

bool is_private(const IpAddress& address) noexcept {
  if (address.is_v4()) return any_contains(kPrivate4, load_be32(address.bytes(), 0));
  const std::uint16_t front = load_be16(address.bytes(), 0);
  return front >> 9 == 0xFC00 >> 9      // fc00::/7
         || front >> 6 == 0xFEC0 >> 6;  // fec0::/10: site-local, deprecated by RFC 3879, still routed by some
}

// The directed broadcast address of an IPv4 network; a /31 has none (RFC 3021).
bool is_broadcast_of(const Prefix& prefix, const IpAddress& address) noexcept {
  if (!address.is_v4() || !prefix.address().is_v4() || prefix.length() > 30) return false;
  const std::uint32_t host_bits = 0xFFFFFFFFu >> prefix.length();
  return load_be32(address.bytes(), 0) == (load_be32(prefix.address().bytes(), 0) | host_bits);
}

// One spelling of the peer's address. `allowed` says that an operator named the peer's address in another spelling.
bool refuses_address(const PeerRules& rules, const IpAddress& address, std::uint16_t port, bool allowed) noexcept {
  if (is_never(address)) return true;
  for (const Prefix& prefix : rules.host_prefixes) {
    if (is_broadcast_of(prefix, address)) return true;
  }
  if (any_contains(rules.deny, address)) return true;
  if (std::ranges::find(rules.own_addresses, address) != rules.own_addresses.end()) {
    // Another client's relayed address is a peer like any; an operator's own services are not.
    return port != 0 && (port < rules.lowest_port || port > rules.highest_port);
  }
  if (!rules.refuse_private || allowed || any_contains(rules.allow, address)) return false;
  return is_private(address) || any_contains(rules.host_prefixes, address);
}

}  // namespace

bool PeerRules::refuses(const Endpoint& peer) const noexcept {
  if (refuses_address(*this, peer.address, peer.port, false)) return true;
  const Embedded embedded(peer.address);
  if (embedded.begin() == embedded.end()) return false;
  const bool allowed = any_contains(allow, peer.address);
  return std::ranges::any_of(embedded,
                             [&](const IpAddress& inner) { return refuses_address(*this, inner, peer.port, allowed); });
}

}  // namespace fireline::relay
