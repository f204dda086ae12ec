// Ids of clients, gateways, resources, sites and relays: UUIDs (RFC 9562) as values, ordered by their bytes, which is
// the order of their text. Source: portal specification 2. No allocation except to_string. Threads: any.
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace fireline {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  // Hyphenated, 32 hex digits, in braces or behind "urn:uuid:"; either case. Nothing else, no surrounding space.
  [[nodiscard]] static std::optional<Uuid> parse(std::string_view text) noexcept;
  // Version 4 (RFC 9562 section 5.4) of sixteen random bytes.
  [[nodiscard]] static Uuid version4(std::array<std::uint8_t, 16> random) noexcept;
  // Lower case, hyphenated.
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(const Uuid&, const Uuid&) noexcept = default;
};

}  // namespace fireline

template <>
struct std::hash<fireline::Uuid> {
  std::size_t operator()(const fireline::Uuid& id) const noexcept {
    // FNV-1a: the ids of tests are not random.
    std::uint64_t digest = 0xcbf29ce484222325;
    for (const std::uint8_t byte : id.bytes) digest = (digest ^ byte) * 0x100000001b3;
    return static_cast<std::size_t>(digest);
  }
};
