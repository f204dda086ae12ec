#include "tools/common/log_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/sinks/sink.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "tests/unit/io/temporary_directory.h"
#include "tools/common/log_formatter.h"

namespace fireline {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kNow = fs::file_time_type(std::chrono::hours(1000));
constexpr std::uintmax_t kMib = std::uintmax_t{1} << 20;

LogFileAge file(const char* name, std::uintmax_t mib, std::chrono::minutes age) {
  return {name, mib * kMib, kNow - age};
}

struct Row {
  const char* sentence;
  std::vector<LogFileAge> files;
  std::vector<fs::path> gone;
};

TEST(LogFolder, WhichFilesHaveToGo) {
  using std::chrono::minutes;
  const Row rows[]{
      {"nothing is there", {}, {}},
      {"exactly the limit stays", {file("a", 60, minutes(20)), file("b", 40, minutes(10))}, {}},
      {"the oldest goes", {file("b", 60, minutes(10)), file("a", 41, minutes(20))}, {"a"}},
      {"as many as it takes",
       {file("c", 60, minutes(10)), file("a", 20, minutes(30)), file("b", 60, minutes(20))},
       {"a", "b"}},
      {"one that is being written is spared", {file("a", 200, minutes(4)), file("b", 10, minutes(1))}, {}},
      {"the last one stays, however large", {file("a", 300, minutes(600))}, {}},
      {"of two large ones the younger stays", {file("a", 300, minutes(600)), file("b", 300, minutes(500))}, {"a"}},
  };
  for (const Row& row : rows) EXPECT_EQ(superfluous_log_files(row.files, kNow), row.gone) << row.sentence;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

std::string text_of(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(LogFolder, AFileComesWithTheFirstLineAndAgainWhenSomebodyRemovedIt) {
  const io::TemporaryDirectory directory;
  const std::string folder = directory.path() + "/not/there";
  const auto sink = open_log_folder(folder, "program");
  ASSERT_TRUE(sink) << sink.error();
  (*sink)->set_formatter(make_log_formatter(LogFormat::text));
  EXPECT_THAT(names_in(folder), IsEmpty()) << "nothing was said";

  (*sink)->log({"fireline", spdlog::level::info, "hello"});
  EXPECT_THAT(names_in(folder),
              testing::UnorderedElementsAre("latest", testing::MatchesRegex("program\\..{19}\\.log")));
  const auto path = folder / fs::read_symlink(folder + "/latest");
  EXPECT_THAT(text_of(path), testing::HasSubstr("INFO fireline: hello"));
  struct stat about{};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0640u);

  fs::remove(path);
  (*sink)->log({"fireline", spdlog::level::info, "again"});
  EXPECT_THAT(text_of(folder + "/latest"), testing::HasSubstr("again"));
  EXPECT_THAT(text_of(folder + "/latest"), testing::Not(testing::HasSubstr("hello")));
}

TEST(LogFolder, FilesOfOthersStay) {
  const io::TemporaryDirectory directory;
  const fs::path folder = directory.path();
  const auto make = [&](const char* name, std::chrono::hours age) {
    std::ofstream(folder / name) << name;
    fs::resize_file(folder / name, kLogFolderBytes);
    fs::last_write_time(folder / name, fs::file_time_type::clock::now() - age);
  };
  const std::vector<std::string> others{"auth.log",
                                        "program.log",
                                        "program.2026-01-02.log",
                                        "program.2026-01-02-03-04-xx.log",
                                        "program.2026-01-02-03-04-05.txt",
                                        "programs.2026-01-02-03-04-05.log",
                                        "latest"};
  for (const auto& name : others) make(name.c_str(), std::chrono::hours(9));
  make("program.2026-01-02-03-04-05.log", std::chrono::hours(3));
  make("program.2026-01-02-03-04-06.log", std::chrono::hours(2));

  const auto sink = open_log_folder(folder, "program");
  ASSERT_TRUE(sink) << sink.error();
  (*sink)->log({"fireline", spdlog::level::info, "hello"});
  const auto names = names_in(folder);
  EXPECT_THAT(names, testing::IsSupersetOf(others));
  EXPECT_THAT(names, testing::Not(testing::Contains("program.2026-01-02-03-04-05.log"))) << "the oldest of its own";
  EXPECT_THAT(names, testing::Contains("program.2026-01-02-03-04-06.log")) << "the last that was there";
  EXPECT_FALSE(fs::is_symlink(folder / "latest"));
  EXPECT_EQ(names.size(), others.size() + 2) << "and the new one";
}

TEST(LogFolder, AFolderThatCannotBeMadeIsOneSentence) {
  const auto sink = open_log_folder("/proc/nothing/here", "program");
  ASSERT_FALSE(sink);
  EXPECT_THAT(sink.error(), testing::AllOf(testing::HasSubstr("/proc/nothing/here"), testing::HasSubstr("choose")));
}

}  // namespace
}  // namespace fireline
