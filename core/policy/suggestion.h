// Which of the known words somebody may have meant. Threads: any. Cost: words times the square of their length; for
// messages alone.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace fireline::policy {

// Of words longer than this none is suggested: a typing mistake hides in a short one.
inline constexpr std::size_t kSuggestionBytesMax = 64;

// "; did you mean \"resources\"?" for the nearest known word that is at most two edits away, and fewer than the word
// has letters; else empty.
[[nodiscard]] std::string suggestion(std::string_view word, std::span<const std::string_view> known);

}  // namespace fireline::policy
