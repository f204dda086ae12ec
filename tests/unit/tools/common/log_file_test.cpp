#include "tools/common/log_file.h"

#include <gtest/gtest.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/sinks/sink.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/io/temporary_directory.h"

namespace fireline {
namespace {

void write(spdlog::sinks::sink& sink, const char* text) {
  sink.set_pattern("%v");
  sink.log(spdlog::details::log_msg("name", spdlog::level::info, text));
  sink.flush();
}

std::string content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(LogFile, IsAppendedToAlsoBehindWhoEmptiesIt) {
  const io::TemporaryDirectory directory;
  const auto path = directory.path() + "/log";
  const auto sink = open_log_file(path);
  ASSERT_TRUE(sink) << sink.error();
  struct ::stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0640U);
  write(**sink, "first");
  EXPECT_EQ(content(path), "first\n");
  std::filesystem::resize_file(path, 0);  // logrotate's copytruncate
  write(**sink, "second");
  EXPECT_EQ(content(path), "second\n") << "at the beginning, and not behind a hole";
  const auto again = open_log_file(path);
  ASSERT_TRUE(again);
  write(**again, "third");
  EXPECT_EQ(content(path), "second\nthird\n") << "a restart loses nothing";
}

TEST(LogFile, ThatCannotBeWrittenIsASentence) {
  const auto sink = open_log_file("/no/such/folder/log");
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error(),
            "cannot write the log file /no/such/folder/log: No such file or directory: choose another with --log-file");
}

}  // namespace
}  // namespace fireline
