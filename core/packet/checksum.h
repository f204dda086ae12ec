// The Internet checksum (RFC 1071), its incremental update (RFC 1624) and the pseudo-headers of TCP and UDP
// (RFC 9293 section 3.1, RFC 768, RFC 8200 section 8.1). Wide sums choose AVX-512, AVX2 or portable code at run time.
//
// A Sum is a one's-complement sum of 16-bit words as they lie in memory, not folded yet. Any carry out of its top bit
// is added back, so that sums of any number of bytes may be combined with add(). Only fold() and the store functions
// know the byte order. A Sum of a piece counts in a longer message when the piece begins at an even offset.
//
// No state, no allocation; any thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/endpoint.h"
#include "core/base/wire.h"

namespace fireline::packet {

using Sum = std::uint64_t;

inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolIcmp6 = 58;

[[nodiscard]] constexpr Sum add(Sum a, Sum b) noexcept {
  const Sum total = a + b;
  return total + (total < a ? 1u : 0u);
}

// One 16-bit word given in host order.
[[nodiscard]] constexpr Sum word_sum(std::uint16_t value) noexcept {
  return wire_detail::big(value);
}

// All of `bytes`; an odd last byte counts as if a zero byte followed, so it must be the end of the message.
[[nodiscard]] Sum sum(ConstBytes bytes, Sum initial = 0) noexcept;

// sum() of from[0, count) while it is copied to `to`; the ranges must not overlap.
[[nodiscard]] Sum copy_and_sum(std::byte* to, const std::byte* from, std::size_t count, Sum initial = 0) noexcept;

// Addresses (4 or 16 bytes each), protocol and length of transport header and payload.
[[nodiscard]] Sum pseudo_header_sum(ConstBytes source, ConstBytes destination, std::uint8_t protocol,
                                    std::uint32_t transport_bytes) noexcept;

// The sum of 16-bit words in host order, not complemented: 0 to 0xFFFF. A message with a correct checksum field gives
// 0xFFFF.
[[nodiscard]] constexpr std::uint16_t fold(Sum sum) noexcept {
  sum = (sum >> 32) + (sum & 0xFFFF'FFFF);
  sum = (sum >> 16) + (sum & 0xFFFF);
  sum = (sum >> 16) + (sum & 0xFFFF);
  sum = (sum >> 16) + (sum & 0xFFFF);
  return wire_detail::big(static_cast<std::uint16_t>(sum));
}

// The checksum of a message whose checksum field was summed as zero.
[[nodiscard]] constexpr std::uint16_t checksum_of(Sum sum) noexcept {
  return static_cast<std::uint16_t>(~fold(sum));
}

// The same for UDP, where zero means "none" and 0xFFFF is sent instead.
[[nodiscard]] constexpr std::uint16_t udp_checksum_of(Sum sum) noexcept {
  const std::uint16_t checksum = checksum_of(sum);
  return checksum == 0 ? std::uint16_t{0xFFFF} : checksum;
}

// RFC 1624 equation 3: the checksum after one 16-bit word of the message changed. All values in host order.
[[nodiscard]] constexpr std::uint16_t update_checksum(std::uint16_t checksum, std::uint16_t before,
                                                      std::uint16_t after) noexcept {
  std::uint32_t total = static_cast<std::uint16_t>(~checksum);
  total += static_cast<std::uint16_t>(~before);
  total += after;
  total = (total >> 16) + (total & 0xFFFF);
  total = (total >> 16) + (total & 0xFFFF);
  return static_cast<std::uint16_t>(~total);
}

// Finishes a checksum that the kernel left open: the field at start + offset holds the pseudo-header sum, and the
// checksum covers start to the end of `packet`. A result of zero is stored as 0xFFFF, which UDP needs and which every
// other user of the field accepts as the same number. False, and nothing written, when the field is not inside.
[[nodiscard]] bool complete_checksum(Bytes packet, std::size_t start, std::size_t offset) noexcept;

// The name of the code that sum() and copy_and_sum() use on this CPU: "avx512", "avx2" or "portable".
[[nodiscard]] std::string_view checksum_backend() noexcept;

// Takes another one from now on, for tests and benchmarks. False, and nothing changed, when this CPU has it not.
bool use_checksum_backend(std::string_view name) noexcept;

}  // namespace fireline::packet
