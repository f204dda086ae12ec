#include "core/stun/utf8.h"

#include <cstdint>

namespace fireline::stun {
namespace {

// The bytes of the character at the front, 0 when it is none. The second byte's range depends on the first (RFC 3629
// section 4): that is what forbids overlong forms, surrogates and numbers that are too large.
std::size_t character_bytes(std::string_view text) noexcept {
  const auto at = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = at(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t bytes = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() < bytes) return 0;
  const std::uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (at(1) < low || at(1) > high) return 0;
  for (std::size_t i = 2; i < bytes; ++i)
    if (at(i) < 0x80 || at(i) > 0xBF) return 0;
  return bytes;
}

}  // namespace

std::optional<std::size_t> utf8_characters(std::string_view text) noexcept {
  std::size_t characters = 0;
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    if (bytes == 0) return std::nullopt;
    text.remove_prefix(bytes);
    ++characters;
  }
  return characters;
}

}  // namespace fireline::stun
