#include "core/portal/address_pool.h"

#include <array>
#include <cstddef>

namespace fireline::portal {
namespace {

constexpr std::uint32_t kOffsetMask = (std::uint32_t{1} << 21) - 1;
constexpr std::uint32_t kIpv4Base = 0x6440'0000;  // 100.64.0.0
constexpr std::uint32_t kIpv6Head = 0xFD00'2021;  // fd00:2021:1111::
constexpr std::uint32_t kIpv6Next = 0x1111'0000;

bool is_device(std::uint32_t offset) {
  return offset >= kOffsetFirst && offset <= kOffsetLast;
}

}  // namespace

IpAddress pool_address(Family family, std::uint32_t offset) noexcept {
  std::array<std::byte, 16> bytes{};
  if (family == Family::v4) {
    store_be32(bytes, 0, kIpv4Base | (offset & kOffsetMask));
    return IpAddress::from_bytes(ConstBytes(bytes).first(4));
  }
  store_be32(bytes, 0, kIpv6Head);
  store_be32(bytes, 4, kIpv6Next);
  store_be32(bytes, 12, offset & kOffsetMask);
  return IpAddress::from_bytes(bytes);
}

std::optional<std::uint32_t> pool_offset(const IpAddress& address) noexcept {
  const ConstBytes bytes = address.bytes();
  const std::uint32_t offset = load_be32(bytes, bytes.size() - 4) & kOffsetMask;
  if (!is_device(offset) || pool_address(address.family(), offset) != address) return std::nullopt;
  return offset;
}

// Rejection keeps it uniform: three of 2^21 values are no device.
std::uint32_t random_offset(crypto::Random& random) noexcept {
  for (;;) {
    const std::uint32_t offset = random.u32() & kOffsetMask;
    if (is_device(offset)) return offset;
  }
}

}  // namespace fireline::portal
