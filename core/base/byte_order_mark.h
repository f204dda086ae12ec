// The byte order mark with which some editors begin a text in UTF-8 (EF BB BF). It is no part of what a person wrote.
// Source: RFC 3629 section 6. Pure.
#pragma once
#include <string_view>

namespace fireline {

// The text behind one leading mark. The view borrows `text`.
[[nodiscard]] constexpr std::string_view without_byte_order_mark(std::string_view text) noexcept {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  return text;
}

}  // namespace fireline
