// Unaligned loads and stores between host order and the wire.
// The span forms abort on an offset outside the bytes: a caller checks lengths once, when it parses.
#pragma once
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

namespace fireline {

using Bytes = std::span<std::byte>;
using ConstBytes = std::span<const std::byte>;

namespace wire_detail {
template <std::unsigned_integral T>
[[nodiscard]] inline T load(ConstBytes bytes, std::size_t offset) noexcept {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) std::abort();
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}
template <std::unsigned_integral T>
inline void store(Bytes bytes, std::size_t offset, T value) noexcept {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) std::abort();
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}
template <std::unsigned_integral T>
[[nodiscard]] constexpr T big(T value) noexcept {
  if constexpr (std::endian::native == std::endian::little) return std::byteswap(value);
  return value;
}
template <std::unsigned_integral T>
[[nodiscard]] constexpr T little(T value) noexcept {
  if constexpr (std::endian::native == std::endian::big) return std::byteswap(value);
  return value;
}
}  // namespace wire_detail

[[nodiscard]] inline std::uint8_t load_u8(ConstBytes bytes, std::size_t offset) noexcept {
  return wire_detail::load<std::uint8_t>(bytes, offset);
}
[[nodiscard]] inline std::uint16_t load_be16(ConstBytes bytes, std::size_t offset) noexcept {
  return wire_detail::big(wire_detail::load<std::uint16_t>(bytes, offset));
}
[[nodiscard]] inline std::uint32_t load_be32(ConstBytes bytes, std::size_t offset) noexcept {
  return wire_detail::big(wire_detail::load<std::uint32_t>(bytes, offset));
}
[[nodiscard]] inline std::uint64_t load_be64(ConstBytes bytes, std::size_t offset) noexcept {
  return wire_detail::big(wire_detail::load<std::uint64_t>(bytes, offset));
}
[[nodiscard]] inline std::uint32_t load_le32(ConstBytes bytes, std::size_t offset) noexcept {
  return wire_detail::little(wire_detail::load<std::uint32_t>(bytes, offset));
}
[[nodiscard]] inline std::uint64_t load_le64(ConstBytes bytes, std::size_t offset) noexcept {
  return wire_detail::little(wire_detail::load<std::uint64_t>(bytes, offset));
}

inline void store_u8(Bytes bytes, std::size_t offset, std::uint8_t value) noexcept {
  wire_detail::store<std::uint8_t>(bytes, offset, value);
}
inline void store_be16(Bytes bytes, std::size_t offset, std::uint16_t value) noexcept {
  wire_detail::store(bytes, offset, wire_detail::big(value));
}
inline void store_be32(Bytes bytes, std::size_t offset, std::uint32_t value) noexcept {
  wire_detail::store(bytes, offset, wire_detail::big(value));
}
inline void store_be64(Bytes bytes, std::size_t offset, std::uint64_t value) noexcept {
  wire_detail::store(bytes, offset, wire_detail::big(value));
}
inline void store_le32(Bytes bytes, std::size_t offset, std::uint32_t value) noexcept {
  wire_detail::store(bytes, offset, wire_detail::little(value));
}
inline void store_le64(Bytes bytes, std::size_t offset, std::uint64_t value) noexcept {
  wire_detail::store(bytes, offset, wire_detail::little(value));
}

}  // namespace fireline
