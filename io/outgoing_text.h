// A message on its way to one WebSocket: its own text, which is wiped, or one that many are sent and that holds no
// secret. Lifetime: a value. Threads: as a value.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "io/secret_buffer.h"

namespace fireline::io {

class OutgoingText {
 public:
  explicit OutgoingText(SecretBuffer own) noexcept : own_(std::move(own)) {}
  explicit OutgoingText(std::shared_ptr<const std::string> shared) noexcept : shared_(std::move(shared)) {}

  [[nodiscard]] std::string_view view() const noexcept { return shared_ ? std::string_view(*shared_) : io::view(own_); }
  // The memory that it alone holds.
  [[nodiscard]] std::size_t cost() const noexcept { return sizeof(*this) + own_.size(); }

 private:
  SecretBuffer own_;
  std::shared_ptr<const std::string> shared_;
};

}  // namespace fireline::io
