#include "relay/protocol/nonce_table.h"

namespace fireline::relay {
namespace {

constexpr std::size_t kPlainBytes = 32;

constexpr bool is_hyphen_place(std::size_t i) noexcept {
  return i == 8 || i == 13 || i == 18 || i == 23;
}

std::optional<unsigned> digit(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
  return std::nullopt;
}

}  // namespace

std::optional<Nonce> Nonce::parse(std::string_view text) noexcept {
  const bool hyphens = text.size() == kTextBytes;
  if (!hyphens && text.size() != kPlainBytes) return std::nullopt;
  Nonce nonce;
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (hyphens && is_hyphen_place(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const auto value = digit(text[i]);
    if (!value) return std::nullopt;
    std::byte& byte = nonce.bytes[digits++ / 2];
    byte = byte << 4 | static_cast<std::byte>(*value);
  }
  return nonce;
}

std::array<char, Nonce::kTextBytes> Nonce::text() const noexcept {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<char, kTextBytes> text;
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_hyphen_place(i)) {
      text[i] = '-';
      continue;
    }
    const unsigned byte = std::to_integer<unsigned>(bytes[digits / 2]);
    text[i] = kDigits[digits % 2 == 0 ? byte >> 4 : byte & 0xF];
    ++digits;
  }
  return text;
}

NonceTable::Use NonceTable::use(const Endpoint& client, const Nonce& nonce) {
  State* const state = entries_.find(client);
  if (state == nullptr || state->nonce != nonce) return Use::unknown;
  if (state->uses_left == 0) {
    entries_.remove(client);
    return Use::used_up;
  }
  --state->uses_left;
  return Use::good;
}

NonceTable::Issued NonceTable::issue(const Endpoint& client, const std::optional<Nonce>& presented) {
  State* const state = entries_.find(client);
  const bool keep = state != nullptr && state->uses_left > 0 && (!presented || *presented != state->nonce);
  if (keep) return {state->nonce, false};

  State fresh{.nonce = {}, .uses_left = uses_};
  random_.fill(fresh.nonce.bytes);
  if (state != nullptr) {
    *state = fresh;
    return {fresh.nonce, false};
  }
  return {fresh.nonce, entries_.add(client, fresh).evicted};
}

}  // namespace fireline::relay
