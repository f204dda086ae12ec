#include "tools/common/logging.h"

#include <spdlog/async.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <vector>

#include "tools/common/log_file.h"
#include "tools/common/log_folder.h"

namespace fireline {
namespace {

constexpr std::size_t kQueueLines = 1024;  // some seconds of an excited control thread; each is below a kilobyte

spdlog::level::level_enum spdlog_level(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::silent:
      break;
  }
  return spdlog::level::off;
}

Result<spdlog::sink_ptr, std::string> make_sink(const LogOptions& options) {
  if (options.file.empty()) {
    if (options.quiet) return std::make_shared<spdlog::sinks::null_sink_mt>();
    return std::make_shared<spdlog::sinks::stdout_sink_mt>();
  }
  return open_log_file(options.file);
}

Result<std::vector<spdlog::sink_ptr>, std::string> make_sinks(const LogOptions& options) {
  auto first = make_sink(options);
  if (!first) return err(std::move(first.error()));
  (*first)->set_formatter(make_log_formatter(options.format));
  std::vector<spdlog::sink_ptr> sinks{std::move(*first)};
  if (options.folder.empty()) return sinks;
  auto folder = open_log_folder(options.folder, options.program);
  if (!folder) return err(std::move(folder.error()));
  (*folder)->set_formatter(make_log_formatter(LogFormat::text));
  sinks.push_back(std::move(*folder));
  return sinks;
}

}  // namespace

Result<std::unique_ptr<Logging>, std::string> Logging::start(const LogOptions& options) {
  auto sinks = make_sinks(options);
  if (!sinks) return err(std::move(sinks.error()));
  spdlog::init_thread_pool(kQueueLines, 1, options.on_thread_start);
  auto logger = std::make_shared<spdlog::async_logger>(
      options.name, sinks->begin(), sinks->end(), spdlog::thread_pool(), spdlog::async_overflow_policy::overrun_oldest);
  logger->set_level(spdlog_level(options.level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return std::unique_ptr<Logging>(new Logging());
}

Logging::~Logging() {
  spdlog::shutdown();
}

}  // namespace fireline
