#include "tools/relay/logging.h"

#include <spdlog/async.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "tools/common/log_file.h"
#include "tools/common/log_formatter.h"

namespace fireline::relay {
namespace {

constexpr std::size_t kQueueLines = 4096;  // a second of the most that event_log.h writes; each is below a kilobyte
constexpr std::array kTargets{"relay", "wire", "eBPF"};

// One target's view of a sink: the level is the target's, the sink is shared.
class TargetSink final : public spdlog::sinks::sink {
 public:
  explicit TargetSink(spdlog::sink_ptr shared) : sink_(std::move(shared)) {}
  void log(const spdlog::details::log_msg& message) override { sink_->log(message); }
  void flush() override { sink_->flush(); }
  void set_pattern(const std::string& pattern) override { sink_->set_pattern(pattern); }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    sink_->set_formatter(std::move(formatter));
  }

 private:
  spdlog::sink_ptr sink_;
};

}  // namespace

struct RelayLogging::Sinks {
  struct Target {
    std::shared_ptr<spdlog::logger> logger;
    std::shared_ptr<TargetSink> output;
    std::shared_ptr<TargetSink> file;  // null without --log-file
  };
  std::vector<Target> targets;
  LogFilter filter;
  std::optional<LogFilter> file_filter;
};

RelayLogging::RelayLogging(std::unique_ptr<Sinks> sinks) noexcept : sinks_(std::move(sinks)) {}

RelayLogging::~RelayLogging() {
  spdlog::shutdown();
}

Result<std::unique_ptr<RelayLogging>, std::string> RelayLogging::start(const RelayOptions& options,
                                                                       std::function<void()> on_thread_start) {
  const auto format = options.log_format == RelayLogFormat::json ? LogFormat::json : LogFormat::text;
  const spdlog::sink_ptr output = std::make_shared<spdlog::sinks::stdout_sink_mt>();
  output->set_formatter(make_log_formatter(format));
  spdlog::sink_ptr file;
  if (!options.log_file.empty()) {
    auto opened = open_log_file(options.log_file);
    if (!opened) return err(std::move(opened.error()));
    file = *opened;
    file->set_formatter(make_log_formatter(format));
  }
  spdlog::init_thread_pool(kQueueLines, 1, std::move(on_thread_start));
  auto sinks = std::make_unique<Sinks>();
  sinks->file_filter = options.log_file_filter;
  for (const char* const name : kTargets) {
    Sinks::Target target{.logger = {}, .output = std::make_shared<TargetSink>(output), .file = {}};
    std::vector<spdlog::sink_ptr> list{target.output};
    if (file) {
      target.file = std::make_shared<TargetSink>(file);
      list.push_back(target.file);
    }
    target.logger = std::make_shared<spdlog::async_logger>(name, list.begin(), list.end(), spdlog::thread_pool(),
                                                           spdlog::async_overflow_policy::overrun_oldest);
    target.logger->flush_on(spdlog::level::info);
    spdlog::register_logger(target.logger);
    sinks->targets.push_back(std::move(target));
  }
  spdlog::set_default_logger(sinks->targets.front().logger);
  std::unique_ptr<RelayLogging> logging(new RelayLogging(std::move(sinks)));
  logging->set_filter(options.log_filter);
  return logging;
}

void RelayLogging::set_filter(const LogFilter& filter) {
  sinks_->filter = filter;
  for (const auto& target : sinks_->targets) {
    const auto level = filter.level_of(target.logger->name());
    auto lowest = level;
    target.output->set_level(level);
    if (target.file) {
      const auto of_file = sinks_->file_filter ? sinks_->file_filter->level_of(target.logger->name()) : level;
      target.file->set_level(of_file);
      lowest = std::min(lowest, of_file);
    }
    target.logger->set_level(lowest);
  }
}

}  // namespace fireline::relay
