// The relay's log: three targets, relay (the default), wire and eBPF, as spdlog loggers of that name over one or two
// sinks, each sink with its own filter: standard output, and a file with --log-file. Asynchronous: a full queue
// overwrites its oldest lines, so that the loop never waits for a slow terminal.
// Lifetime: from start() to the end of the object, which writes what is left. Threads: set_filter on the loop's.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "tools/common/log_filter.h"
#include "tools/relay/options.h"

namespace fireline::relay {

class RelayLogging {
 public:
  // `on_thread_start` runs in the log's own thread before its first line. The error is one sentence.
  [[nodiscard]] static Result<std::unique_ptr<RelayLogging>, std::string> start(const RelayOptions& options,
                                                                                std::function<void()> on_thread_start);
  ~RelayLogging();
  RelayLogging(const RelayLogging&) = delete;
  RelayLogging& operator=(const RelayLogging&) = delete;

  // Of standard output; a file keeps its own filter, or follows when it has none.
  void set_filter(const LogFilter& filter);

 private:
  struct Sinks;
  explicit RelayLogging(std::unique_ptr<Sinks> sinks) noexcept;
  std::unique_ptr<Sinks> sinks_;
};

}  // namespace fireline::relay
