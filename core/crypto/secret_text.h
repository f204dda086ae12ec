// A text that erases itself: tokens, passwords and URLs that hold them. Short texts live inside std::string itself,
// and a moved-from string keeps them there; therefore it copies and never moves.
// Lifetime: a value. Threads: any.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "core/crypto/secret.h"

namespace fireline::crypto {

class SecretText {
 public:
  SecretText() = default;
  explicit SecretText(std::string_view text) : text_(text) {}
  SecretText(const SecretText&) = default;
  SecretText& operator=(const SecretText& other) {
    if (this == &other) return *this;
    wipe(std::as_writable_bytes(std::span(text_)));
    text_ = other.text_;
    return *this;
  }
  ~SecretText() { wipe(std::as_writable_bytes(std::span(text_))); }

  [[nodiscard]] std::string_view view() const noexcept { return text_; }
  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }

  // Constant time for texts of equal length.
  friend bool operator==(const SecretText& a, const SecretText& b) noexcept {
    return equal_constant_time(std::as_bytes(std::span(a.text_)), std::as_bytes(std::span(b.text_)));
  }

 private:
  std::string text_;
};

}  // namespace fireline::crypto
