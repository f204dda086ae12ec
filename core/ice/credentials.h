// One side's ICE user name fragment and password: opaque ASCII, as the portal hands it out. Source: RFC 8445
// section 5.3. Lifetime: value; wipes itself. Threads: any. No allocation. Limits: RFC 8839 section 5.4 (256 characters
// each).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/result.h"

namespace fireline::ice {

// RFC 8839 section 5.4 allows 256 characters of each, but two fragments and a colon must fit into a USERNAME, whose
// limit is 509 bytes (RFC 8489 section 14.3).
inline constexpr std::size_t kUfragBytesMax = 254;
inline constexpr std::size_t kPasswordBytesMax = 256;

enum class CredentialsError : std::uint8_t {
  empty,
  too_long,
  bad_character,  // a colon or a space in the fragment: it could not be told apart in USERNAME and candidate texts
};

class Credentials {
 public:
  [[nodiscard]] static Result<Credentials, CredentialsError> make(std::string_view ufrag,
                                                                  std::string_view password) noexcept;
  Credentials(const Credentials&) noexcept = default;
  Credentials& operator=(const Credentials&) noexcept = default;
  ~Credentials();

  [[nodiscard]] std::string_view ufrag() const noexcept { return {ufrag_.data(), ufrag_bytes_}; }
  [[nodiscard]] std::string_view password() const noexcept { return {password_.data(), password_bytes_}; }

  // Compares the password in constant time.
  friend bool operator==(const Credentials& a, const Credentials& b) noexcept;

 private:
  Credentials() noexcept = default;

  std::array<char, kUfragBytesMax> ufrag_{};
  std::array<char, kPasswordBytesMax> password_{};
  std::uint16_t ufrag_bytes_ = 0;
  std::uint16_t password_bytes_ = 0;
};

}  // namespace fireline::ice
