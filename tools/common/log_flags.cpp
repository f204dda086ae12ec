#include "tools/common/log_flags.h"

#include <CLI/CLI.hpp>
#include <array>

#include "tools/common/choice.h"
#include "tools/common/log_filter.h"

namespace fireline {
namespace {

constexpr std::array kFormats{Choice{std::string_view("human"), LogFormat::text},
                              Choice{std::string_view("json"), LogFormat::json}};

LogLevel log_level(spdlog::level::level_enum level) noexcept {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return LogLevel::debug;
    case spdlog::level::info:
      return LogLevel::info;
    case spdlog::level::warn:
      return LogLevel::warning;
    case spdlog::level::off:
      return LogLevel::silent;
    default:
      return LogLevel::error;
  }
}

}  // namespace

void add_log_flags(CLI::App& app, LogWords& words, const LogVariables& variables) {
  app.add_option("--log-level", words.level, "Log directives: level or target=level, comma-separated (info)")
      ->envname(variables.level);
  app.add_option("--log-format", words.format, "human (default) or json, one object per line")
      ->envname(variables.format);
}

std::optional<std::string> read_log_words(const LogWords& words, LogOptions& options) {
  if (auto wrong = choose(kFormats, "--log-format", words.format, options.format)) return wrong;
  const auto filter = LogFilter::parse(words.level);
  if (!filter) return filter.error();
  options.level = log_level(filter->level_of(options.name));
  return std::nullopt;
}

}  // namespace fireline
