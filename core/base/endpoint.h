// IP addresses, prefixes and UDP endpoints as values. Host order inside; bytes of an address in network order.
// No allocation; safe to read from any thread.
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/wire.h"

namespace fireline {

enum class Family : std::uint8_t { v4, v6 };

// An IPv4 or IPv6 address. The default is 0.0.0.0, which stands for "unspecified" in every use here.
class IpAddress {
 public:
  constexpr IpAddress() = default;
  // 4 or 16 bytes in network order; aborts on any other length.
  [[nodiscard]] static IpAddress from_bytes(ConstBytes bytes) noexcept;
  // RFC 4291 section 2.2 text or dotted quad; nothing else (no zone, no brackets).
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text) noexcept;

  [[nodiscard]] Family family() const noexcept { return family_; }
  [[nodiscard]] bool is_v4() const noexcept { return family_ == Family::v4; }
  // 4 or 16 bytes in network order.
  [[nodiscard]] ConstBytes bytes() const noexcept { return ConstBytes(bytes_).first(is_v4() ? 4 : 16); }
  [[nodiscard]] unsigned bits() const noexcept { return is_v4() ? 32 : 128; }
  [[nodiscard]] bool is_unspecified() const noexcept;
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) noexcept = default;

 private:
  Family family_ = Family::v4;
  std::array<std::byte, 16> bytes_{};  // IPv4 in the first four, the rest zero
};

// An address and the number of its leading bits that count; host bits are cleared by the factories.
class Prefix {
 public:
  constexpr Prefix() = default;
  // Empty when `length` exceeds the family's bits.
  [[nodiscard]] static std::optional<Prefix> make(const IpAddress& address, unsigned length) noexcept;
  // "10.0.0.0/8", "fd00::/64"; without a slash the whole address.
  [[nodiscard]] static std::optional<Prefix> parse(std::string_view text) noexcept;

  [[nodiscard]] const IpAddress& address() const noexcept { return address_; }
  [[nodiscard]] unsigned length() const noexcept { return length_; }
  [[nodiscard]] bool contains(const IpAddress& address) const noexcept;
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(const Prefix&, const Prefix&) noexcept = default;

 private:
  IpAddress address_;
  std::uint8_t length_ = 0;
};

// A UDP endpoint. `scope` is the interface index of an IPv6 link-local address, else 0.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  std::uint32_t scope = 0;

  // "192.0.2.1:51820", "[2001:db8::1]:51820", "[fe80::1%3]:51820" (a numeric zone only).
  [[nodiscard]] static std::optional<Endpoint> parse(std::string_view text) noexcept;
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(const Endpoint&, const Endpoint&) noexcept = default;
};

}  // namespace fireline

template <>
struct std::hash<fireline::IpAddress> {
  std::size_t operator()(const fireline::IpAddress& address) const noexcept {
    const auto bytes = address.bytes();
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
};

template <>
struct std::hash<fireline::Endpoint> {
  std::size_t operator()(const fireline::Endpoint& endpoint) const noexcept {
    constexpr std::size_t kOddMultiplier = 0x9E3779B97F4A7C15;  // spreads the port over all bits
    return std::hash<fireline::IpAddress>{}(endpoint.address) ^ (std::size_t{endpoint.port} * kOddMultiplier);
  }
};
