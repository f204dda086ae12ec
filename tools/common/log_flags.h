// The flags of a program's log, alike for all that use Logging. Threads: parse before any is started (CLI11 reads the
// environment).
#pragma once
#include <optional>
#include <string>

#include "tools/common/logging.h"

namespace CLI {
class App;
}

namespace fireline {

// As the person wrote it.
struct LogWords {
  std::string level;
  std::string format = "human";
};

// Of the environment.
struct LogVariables {
  const char* level = nullptr;
  const char* format = nullptr;
};

void add_log_flags(CLI::App& app, LogWords& words, const LogVariables& variables);
// Sets level and format for lines of the target `options.name`. The first thing that is wrong, as a sentence.
[[nodiscard]] std::optional<std::string> read_log_words(const LogWords& words, LogOptions& options);

}  // namespace fireline
