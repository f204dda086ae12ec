#include "tools/wg/logging.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

#include "io/file_descriptor.h"

namespace fireline::wg {
namespace {

constexpr std::size_t kQueueLines = 1024;  // some seconds of an excited control thread; each is below a kilobyte
constexpr mode_t kLogFileMode = 0640;

std::string_view level_name(spdlog::level::level_enum level) noexcept {
  switch (level) {
    case spdlog::level::trace:
      return "TRACE";
    case spdlog::level::debug:
      return "DEBUG";
    case spdlog::level::info:
      return "INFO";
    case spdlog::level::warn:
      return "WARN";
    default:
      return "ERROR";
  }
}

// RFC 3339 in UTC with that many decimals of the second.
std::string time_text(spdlog::log_clock::time_point time, int decimals) {
  using std::chrono::duration_cast, std::chrono::floor, std::chrono::microseconds, std::chrono::seconds;
  const auto whole = floor<seconds>(time);
  const auto rest = duration_cast<microseconds>(time - whole).count();
  const auto fraction = fmt::format("{:06}", rest);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{}Z", fmt::gmtime(spdlog::log_clock::to_time_t(whole)),
                     std::string_view(fraction).substr(0, static_cast<std::size_t>(decimals)));
}

std::string_view standard(spdlog::string_view_t text) noexcept {
  return {text.data(), text.size()};
}

class TextFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    fmt::format_to(std::back_inserter(out), "{} {:>5} {}: ", time_text(message.time, 3), level_name(message.level),
                   standard(message.logger_name));
    // One event is one line, whatever it quotes.
    for (const char c : message.payload) out.push_back(c == '\n' || c == '\r' ? ' ' : c);
    out.push_back('\n');
  }
  [[nodiscard]] std::unique_ptr<formatter> clone() const override { return std::make_unique<TextFormatter>(); }
};

class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const nlohmann::ordered_json line{{"timestamp", time_text(message.time, 6)},
                                      {"level", level_name(message.level)},
                                      {"message", standard(message.payload)},
                                      {"target", standard(message.logger_name)}};
    const auto text = line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    out.append(text.data(), text.data() + text.size());
    out.push_back('\n');
  }
  [[nodiscard]] std::unique_ptr<formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

spdlog::level::level_enum spdlog_level(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::silent:
      break;
  }
  return spdlog::level::off;
}

Result<spdlog::sink_ptr, std::string> make_sink(const Options& options) {
  if (options.log_file.empty()) {
    if (!options.foreground) return std::make_shared<spdlog::sinks::null_sink_mt>();
    return std::make_shared<spdlog::sinks::stdout_sink_mt>();
  }
  // Created here for its mode, and for an errno instead of an exception.
  const io::FileDescriptor file(
      ::open(options.log_file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kLogFileMode));
  if (!file) {
    return err(fmt::format("cannot write the log file {}: {}: choose another with --log-file", options.log_file,
                           std::strerror(errno)));
  }
  return std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.log_file);
}

}  // namespace

Result<std::unique_ptr<Logging>, std::string> Logging::start(const Options& options) {
  auto sink = make_sink(options);
  if (!sink) return err(std::move(sink.error()));
  (*sink)->set_formatter(make_log_formatter(options.log_format));
  spdlog::init_thread_pool(kQueueLines, 1);
  auto logger = std::make_shared<spdlog::async_logger>(options.interface_name, *sink, spdlog::thread_pool(),
                                                       spdlog::async_overflow_policy::overrun_oldest);
  logger->set_level(spdlog_level(options.log_level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return std::unique_ptr<Logging>(new Logging());
}

Logging::~Logging() {
  spdlog::shutdown();
}

std::unique_ptr<spdlog::formatter> make_log_formatter(LogFormat format) {
  if (format == LogFormat::json) return std::make_unique<JsonFormatter>();
  return std::make_unique<TextFormatter>();
}

}  // namespace fireline::wg
