// UTF-8 as RFC 3629 allows it: no overlong form, no surrogate, nothing above U+10FFFF.
// Threads: any. No allocation.
#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

namespace fireline::stun {

// How many characters the text has; empty when it is not UTF-8.
[[nodiscard]] std::optional<std::size_t> utf8_characters(std::string_view text) noexcept;

}  // namespace fireline::stun
