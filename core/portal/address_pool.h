// The tunnel addresses of clients and gateways: 100.64.0.0/11 and fd00:2021:1111::/107, by offset.
// Source: portal specification 6.3. Values and pure functions. Threads: any.
#pragma once
#include <cstdint>
#include <optional>

#include "core/base/endpoint.h"
#include "core/crypto/random.h"

namespace fireline::portal {

// 100.64.0.2 to 100.95.255.254, fd00:2021:1111::2 to fd00:2021:1111::1f:fffe.
inline constexpr std::uint32_t kOffsetFirst = 2;
inline constexpr std::uint32_t kOffsetLast = (std::uint32_t{1} << 21) - 2;

[[nodiscard]] IpAddress pool_address(Family family, std::uint32_t offset) noexcept;
// Empty for an address that no device can have.
[[nodiscard]] std::optional<std::uint32_t> pool_offset(const IpAddress& address) noexcept;

[[nodiscard]] std::uint32_t random_offset(crypto::Random& random) noexcept;

// The first one from `start` upwards for which taken(offset) is false, then downwards. Empty: all are taken.
template <class Taken>
[[nodiscard]] std::optional<std::uint32_t> free_offset(std::uint32_t start, Taken taken) {
  for (std::uint32_t offset = start; offset <= kOffsetLast; ++offset) {
    if (!taken(offset)) return offset;
  }
  for (std::uint32_t offset = start; offset-- > kOffsetFirst;) {
    if (!taken(offset)) return offset;
  }
  return std::nullopt;
}

}  // namespace fireline::portal
