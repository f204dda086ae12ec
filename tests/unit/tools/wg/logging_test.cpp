#include "tools/common/logging.h"

#include <gtest/gtest.h>
#include <spdlog/formatter.h>
#include <spdlog/spdlog.h>

#include <fstream>
#include <sstream>

#include "tests/unit/io/temporary_directory.h"

namespace fireline::wg {
namespace {

std::string formatted(LogFormat format, spdlog::level::level_enum level, const std::string& text) {
  spdlog::details::log_msg message("wg0", level, text);
  message.time = spdlog::log_clock::time_point(std::chrono::microseconds(1'763'547'072'345'678));
  spdlog::memory_buf_t out;
  make_log_formatter(format)->format(message, out);
  return fmt::to_string(out);
}

TEST(Logging, LinesOfBothFormats) {
  EXPECT_EQ(formatted(LogFormat::text, spdlog::level::info, "hello"), "2025-11-19T10:11:12.345Z  INFO wg0: hello\n");
  EXPECT_EQ(formatted(LogFormat::text, spdlog::level::err, "two\nlines"),
            "2025-11-19T10:11:12.345Z ERROR wg0: two lines\n");
  EXPECT_EQ(
      formatted(LogFormat::json, spdlog::level::warn, "say \"hi\"\n\xff"),
      "{\"timestamp\":\"2025-11-19T10:11:12.345678Z\",\"level\":\"WARN\",\"message\":\"say \\\"hi\\\"\\n\xEF\xBF\xBD\","
      "\"target\":\"wg0\"}\n");
}

TEST(Logging, TextSteersNoTerminal) {
  const struct {
    const char* rule;
    const char* text;
    const char* written;
  } rows[] = {
      {"a title by ESC and BEL", "x\x1b]0;y\x07z", "x ]0;y z"},
      {"tabs, backspaces and DEL", "a\tb\bc\x7f", "a b c "},
      {"CSI as one character of C1",
       "a\xc2\x9b"
       "2J",
       "a 2J"},
      {"and as a bare byte",
       "a\x9b"
       "2J",
       "a 2J"},
      {"also behind a letter",
       "\xc3\x9f\x9b"
       "2J",
       "\xc3\x9f 2J"},
      {"letters stay whole", "\xc3\x9f\xe2\x82\x9b\xf0\x9f\x99\x82\xc2\xa9",
       "\xc3\x9f\xe2\x82\x9b\xf0\x9f\x99\x82\xc2\xa9"},
      {"cut off behind its first byte", "a\xc2", "a\xc2"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(formatted(LogFormat::text, spdlog::level::info, row.text),
              std::string("2025-11-19T10:11:12.345Z  INFO wg0: ") + row.written + "\n")
        << row.rule;
  }
}

TEST(Logging, WritesItsFileAndRespectsTheLevel) {
  const io::TemporaryDirectory directory;
  LogOptions options;
  options.name = "wg0";
  options.file = directory.path() + "/log";
  options.level = LogLevel::error;
  const auto before = spdlog::default_logger();
  {
    const auto log = Logging::start(options);
    ASSERT_TRUE(log) << log.error();
    spdlog::info("unheard");
    spdlog::error("heard");
  }
  spdlog::set_default_logger(before);
  std::stringstream text;
  text << std::ifstream(options.file).rdbuf();
  EXPECT_NE(text.str().find("ERROR wg0: heard\n"), std::string::npos) << text.str();
  EXPECT_EQ(text.str().find("unheard"), std::string::npos);

  options.file = directory.path() + "/no/such/directory";
  const auto refused = Logging::start(options);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find("choose another with --log-file"), std::string::npos) << refused.error();
}

}  // namespace
}  // namespace fireline::wg
