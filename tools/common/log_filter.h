// Which log lines are written: comma-separated directives `target=level` or `level`, as RUST_LOG and POST /log_filter
// have them. Levels: trace, debug, info, warn, error, off. A later directive for the same target wins; a target without
// one has the bare level, or info. Any target is accepted; each program says which it has.
// A value; any thread.
#pragma once
#include <spdlog/common.h>

#include <map>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace fireline {

// Directives are typed by people; the longest environments of Firezone's relays are a tenth of it.
inline constexpr std::size_t kLogDirectivesMax = 64;

class LogFilter {
 public:
  // The error is one sentence.
  [[nodiscard]] static Result<LogFilter, std::string> parse(std::string_view directives);

  [[nodiscard]] spdlog::level::level_enum level_of(std::string_view target) const;

 private:
  spdlog::level::level_enum default_level_ = spdlog::level::info;
  std::map<std::string, spdlog::level::level_enum, std::less<>> targets_;
};

}  // namespace fireline
