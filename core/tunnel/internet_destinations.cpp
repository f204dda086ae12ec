#include "core/tunnel/internet_destinations.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace fireline::tunnel {
namespace {

struct RangeV4 {
  std::uint32_t network;
  unsigned length;
};

constexpr RangeV4 kRefusedV4[] = {
    {0x00000000, 8},   // "this network" (RFC 1122): Linux takes 0.0.0.0 for itself
    {0x0A000000, 8},   // private (RFC 1918)
    {0x64400000, 10},  // carrier-grade NAT (RFC 6598), tunnel addresses and proxies among them
    {0x7F000000, 8},   // loopback
    {0xA9FE0000, 16},  // link-local (RFC 3927), the cloud's metadata at 169.254.169.254 among them
    {0xAC100000, 12},  // private
    {0xC0A80000, 16},  // private
    {0xE0000000, 4},   // multicast
    {0xF0000000, 4},   // reserved, and broadcast
};

bool is_public_v4(std::uint32_t address) noexcept {
  return std::ranges::none_of(
      kRefusedV4, [&](const RangeV4& range) { return (address ^ range.network) >> (32 - range.length) == 0; });
}

bool is_public_v6(ConstBytes address) noexcept {
  const std::uint64_t high = load_be64(address, 0);
  const std::uint64_t low = load_be64(address, 8);
  if (high == 0 && low >> 32 == 0) return false;       // unspecified, loopback, IPv4-compatible
  if (high == 0 && low >> 32 == 0xFFFF) return false;  // IPv4-mapped
  if (high >> 57 == 0xFC >> 1) return false;           // unique local, fc00::/7
  if (high >> 54 == 0xFE80 >> 6) return false;         // link-local, fe80::/10
  if (high >> 54 == 0xFEC0 >> 6) return false;         // site-local (RFC 3879: still what some networks use)
  if (high >> 56 == 0xFF) return false;                // multicast
  if (high >> 16 == 0x0064'FF9B'0001u) return false;   // a NAT64 of the gateway's network (RFC 8215)
  // A NAT64 on the way (RFC 6052) leads to the IPv4 address in its last bytes.
  if (high == 0x0064'FF9B'0000'0000u && low >> 32 == 0) return is_public_v4(load_be32(address, 12));
  return true;
}

}  // namespace

void InternetDestinations::set_host_addresses(std::vector<IpAddress> addresses) {
  host_addresses_ = std::move(addresses);
  std::ranges::sort(*host_addresses_);
}

bool InternetDestinations::permits(ConstBytes address) const noexcept {
  if (!host_addresses_) return false;
  const bool is_public = address.size() == 4 ? is_public_v4(load_be32(address, 0)) : is_public_v6(address);
  return is_public && !std::ranges::binary_search(*host_addresses_, IpAddress::from_bytes(address));
}

}  // namespace fireline::tunnel
