#include "tools/common/log_formatter.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/formatter.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

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

// One event is one line, whatever it quotes, and steers no terminal: a space instead of each control character, those
// of C1 in UTF-8 (C2 80 to C2 9F) and as bare bytes included. Other bytes of 80 to 9F are parts of letters.
void append_printable(std::string_view text, spdlog::memory_buf_t& out) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  unsigned continuations = 0;  // that the letter at hand still has
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned here = byte(i);
    const bool c1 = here >= 0x80 && here < 0xA0;
    if (here == 0xC2 && byte(i + 1) >= 0x80 && byte(i + 1) < 0xA0) {
      out.push_back(' ');
      ++i;
      continuations = 0;
      continue;
    }
    out.push_back(here < 0x20 || here == 0x7F || (c1 && continuations == 0) ? ' ' : text[i]);
    if (here >= 0xC0) {
      continuations = here >= 0xF0 ? 3 : here >= 0xE0 ? 2 : 1;
    } else if (here >= 0x80 && continuations != 0) {
      --continuations;
    } else {
      continuations = 0;
    }
  }
}

class TextFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    fmt::format_to(std::back_inserter(out), "{} {:>5} {}: ", time_text(message.time, 3), level_name(message.level),
                   standard(message.logger_name));
    append_printable(standard(message.payload), out);
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
