#include "core/base/uuid.h"

namespace fireline {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kHyphenatedCharacters = 36;
constexpr std::size_t kPlainCharacters = 32;

[[nodiscard]] constexpr bool has_hyphen_before(std::size_t byte) noexcept {
  return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

[[nodiscard]] constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

[[nodiscard]] bool starts_with_urn(std::string_view text) noexcept {
  constexpr std::string_view kUrn = "urn:uuid:";
  if (text.size() < kUrn.size()) return false;
  for (std::size_t i = 0; i < kUrn.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
    if (c != kUrn[i]) return false;
  }
  return true;
}

}  // namespace

std::optional<Uuid> Uuid::parse(std::string_view text) noexcept {
  if (starts_with_urn(text)) {
    text.remove_prefix(9);
    if (text.size() != kHyphenatedCharacters) return std::nullopt;
  } else if (text.size() == kHyphenatedCharacters + 2 && text.front() == '{' && text.back() == '}') {
    text = text.substr(1, kHyphenatedCharacters);
  }
  const bool hyphens = text.size() == kHyphenatedCharacters;
  if (!hyphens && text.size() != kPlainCharacters) return std::nullopt;
  Uuid id;
  std::size_t at = 0;
  for (std::size_t byte = 0; byte < id.bytes.size(); ++byte) {
    if (hyphens && has_hyphen_before(byte) && text[at++] != '-') return std::nullopt;
    const int high = hex_value(text[at]);
    const int low = hex_value(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes[byte] = static_cast<std::uint8_t>(high << 4 | low);
    at += 2;
  }
  return id;
}

Uuid Uuid::version4(std::array<std::uint8_t, 16> random) noexcept {
  random[6] = static_cast<std::uint8_t>((random[6] & 0x0f) | 0x40);
  random[8] = static_cast<std::uint8_t>((random[8] & 0x3f) | 0x80);
  return {.bytes = random};
}

std::string Uuid::to_string() const {
  std::string text;
  text.reserve(kHyphenatedCharacters);
  for (std::size_t byte = 0; byte < bytes.size(); ++byte) {
    if (has_hyphen_before(byte)) text += '-';
    text += kDigits[bytes[byte] >> 4];
    text += kDigits[bytes[byte] & 0x0f];
  }
  return text;
}

}  // namespace fireline
