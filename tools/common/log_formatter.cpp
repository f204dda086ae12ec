#include "tools/common/log_formatter.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/formatter.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tools/common/terminal_text.h"

namespace fireline {
namespace {

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
    const std::string payload = shown(standard(message.payload));
    out.append(payload.data(), payload.data() + payload.size());
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

}  // namespace

std::unique_ptr<spdlog::formatter> make_log_formatter(LogFormat format) {
  if (format == LogFormat::json) return std::make_unique<JsonFormatter>();
  return std::make_unique<TextFormatter>();
}

}  // namespace fireline
