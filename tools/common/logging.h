// A program's log: spdlog's default logger, asynchronous, as text or as JSON lines (tools/common/log_formatter.h).
// A full queue overwrites its oldest lines: no thread waits for a slow terminal.
// Lifetime: from Logging's construction to its end, which flushes. Threads: construct after fork; log from any.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "tools/common/log_formatter.h"

namespace fireline {

enum class LogLevel : std::uint8_t { debug, info, warning, error, silent };

struct LogOptions {
  std::string name{};  // the target of its lines
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  std::string file{};     // empty: standard output
  std::string folder{};   // of log files in addition, as text (tools/common/log_folder.h); empty: none
  std::string program{};  // the base of their names
  bool quiet = false;     // without a file: nowhere
  std::function<void()> on_thread_start = [] {};  // in the log's own thread, before its first line
};

class Logging {
 public:
  // The error is one sentence.
  [[nodiscard]] static Result<std::unique_ptr<Logging>, std::string> start(const LogOptions& options);
  ~Logging();
  Logging(const Logging&) = delete;
  Logging& operator=(const Logging&) = delete;

 private:
  Logging() = default;
};

}  // namespace fireline
