// The program's log: spdlog's default logger, asynchronous, as text or as JSON lines (tools/common/log_formatter.h).
// A full queue overwrites its oldest lines: no thread waits for a slow terminal.
// Lifetime: from Logging's construction to its end, which flushes. Threads: construct after fork; log from any.
#pragma once
#include <memory>
#include <string>

#include "core/base/result.h"
#include "tools/wg/options.h"

namespace fireline::wg {

class Logging {
 public:
  // To options.log_file, else to standard output when in the foreground, else nowhere. The error is one sentence.
  [[nodiscard]] static Result<std::unique_ptr<Logging>, std::string> start(const Options& options);
  ~Logging();
  Logging(const Logging&) = delete;
  Logging& operator=(const Logging&) = delete;

 private:
  Logging() = default;
};

}  // namespace fireline::wg
