#include "tools/common/log_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

namespace fireline {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::optional<spdlog::level::level_enum> level_from(std::string_view word) {
  constexpr std::array<std::pair<std::string_view, spdlog::level::level_enum>, 6> kLevels{
      {{"trace", spdlog::level::trace},
       {"debug", spdlog::level::debug},
       {"info", spdlog::level::info},
       {"warn", spdlog::level::warn},
       {"error", spdlog::level::err},
       {"off", spdlog::level::off}}};
  std::string lower(word);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto found = std::ranges::find(kLevels, std::string_view(lower), [](const auto& level) { return level.first; });
  if (found == kLevels.end()) return std::nullopt;
  return found->second;
}

bool is_target(std::string_view word) {
  const auto allowed = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == ':' || c == '-'; };
  return !word.empty() && std::ranges::all_of(word, allowed);
}

}  // namespace

Result<LogFilter, std::string> LogFilter::parse(std::string_view directives) {
  LogFilter filter;
  std::size_t count = 0;
  while (!directives.empty()) {
    const auto comma = std::min(directives.find(','), directives.size());
    const auto word = trimmed(directives.substr(0, comma));
    directives.remove_prefix(std::min(comma + 1, directives.size()));
    if (word.empty()) continue;
    if (++count > kLogDirectivesMax) return err(fmt::format("more than {} log directives", kLogDirectivesMax));
    const auto equals = word.find('=');
    const auto target = trimmed(word.substr(0, equals));
    const auto level = level_from(equals == std::string_view::npos ? word : trimmed(word.substr(equals + 1)));
    if (!level || (equals != std::string_view::npos && !is_target(target))) {
      return err(fmt::format(
          "\"{}\" is no log directive: use target=level or level, the level being trace, debug, info, warn, error or "
          "off",
          word));
    }
    if (equals == std::string_view::npos) {
      filter.default_level_ = *level;
    } else {
      filter.targets_.insert_or_assign(std::string(target), *level);
    }
  }
  return filter;
}

spdlog::level::level_enum LogFilter::level_of(std::string_view target) const {
  const auto found = targets_.find(target);
  return found == targets_.end() ? default_level_ : found->second;
}

}  // namespace fireline
