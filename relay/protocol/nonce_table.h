// One nonce per client socket: text of a UUID over 128 random bits, good for a number of authenticated requests and
// without limit in time. Bounded; a client whose nonce was forgotten is answered 438 and takes the next one.
// Threads: one owner. Source: relay specification section 1.5; RFC 8489 section 9.2.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/endpoint.h"
#include "core/crypto/random.h"
#include "relay/protocol/lru_table.h"

namespace fireline::relay {

struct Nonce {
  static constexpr std::size_t kTextBytes = 36;
  std::array<std::byte, 16> bytes{};

  // 32 hex digits of either case, with all four hyphens or with none.
  [[nodiscard]] static std::optional<Nonce> parse(std::string_view text) noexcept;
  // Lower case, hyphenated.
  [[nodiscard]] std::array<char, kTextBytes> text() const noexcept;
  friend bool operator==(const Nonce&, const Nonce&) noexcept = default;
};

class NonceTable {
 public:
  NonceTable(std::size_t nonces_max, std::uint32_t uses, crypto::Random& random) noexcept
      : entries_(nonces_max, random), uses_(uses), random_(random) {}

  enum class Use : std::uint8_t { good, unknown, used_up };
  // Counts one use. `used_up`: this was one too many, and the nonce is forgotten.
  [[nodiscard]] Use use(const Endpoint& client, const Nonce& nonce);

  struct Issued {
    Nonce nonce;
    bool evicted = false;  // another client's was forgotten for it
  };
  // The nonce for a 401 or 438: the one this client has, so that answers to requests in flight agree, or a new one when
  // it has none, its uses are spent, or it came with the refused request (`presented`) and did not help.
  [[nodiscard]] Issued issue(const Endpoint& client, const std::optional<Nonce>& presented);

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct State {
    Nonce nonce;
    std::uint32_t uses_left = 0;
  };
  LruTable<Endpoint, State> entries_;
  std::uint32_t uses_;
  crypto::Random& random_;
};

}  // namespace fireline::relay
