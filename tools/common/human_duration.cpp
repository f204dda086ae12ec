#include "tools/common/human_duration.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace fireline {
namespace {

using std::chrono::milliseconds;

struct Unit {
  std::string_view word;
  milliseconds length;
};
constexpr std::array kUnits{
    Unit{"ms", milliseconds(1)},
    Unit{"s", std::chrono::seconds(1)},
    Unit{"sec", std::chrono::seconds(1)},
    Unit{"secs", std::chrono::seconds(1)},
    Unit{"second", std::chrono::seconds(1)},
    Unit{"seconds", std::chrono::seconds(1)},
    Unit{"m", std::chrono::minutes(1)},
    Unit{"min", std::chrono::minutes(1)},
    Unit{"mins", std::chrono::minutes(1)},
    Unit{"minute", std::chrono::minutes(1)},
    Unit{"minutes", std::chrono::minutes(1)},
    Unit{"h", std::chrono::hours(1)},
    Unit{"hr", std::chrono::hours(1)},
    Unit{"hrs", std::chrono::hours(1)},
    Unit{"hour", std::chrono::hours(1)},
    Unit{"hours", std::chrono::hours(1)},
    Unit{"d", std::chrono::hours(24)},
    Unit{"day", std::chrono::hours(24)},
    Unit{"days", std::chrono::hours(24)},
    Unit{"w", std::chrono::hours(7 * 24)},
    Unit{"week", std::chrono::hours(7 * 24)},
    Unit{"weeks", std::chrono::hours(7 * 24)},
};

void skip_spaces(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
}

std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

const Unit* take_unit(std::string_view& text) {
  const auto letters = std::ranges::find_if_not(text, [](char c) { return c >= 'a' && c <= 'z'; }) - text.begin();
  const auto word = text.substr(0, static_cast<std::size_t>(letters));
  text.remove_prefix(word.size());
  const auto found = std::ranges::find(kUnits, word, &Unit::word);
  return found == kUnits.end() ? nullptr : &*found;
}

}  // namespace

std::optional<Duration> parse_human_duration(std::string_view text) {
  constexpr auto kMax = std::chrono::duration_cast<milliseconds>(kHumanDurationMax);
  milliseconds total{0};
  skip_spaces(text);
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const auto number = take_number(text);
    skip_spaces(text);
    const Unit* unit = number ? take_unit(text) : nullptr;
    if (unit == nullptr || *number > static_cast<std::uint64_t>(kMax / unit->length)) return std::nullopt;
    total += unit->length * static_cast<std::int64_t>(*number);
    if (total > kMax) return std::nullopt;
    skip_spaces(text);
  }
  return std::chrono::duration_cast<Duration>(total);
}

}  // namespace fireline
