#include "platform/linux/token_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include "tests/unit/io/temporary_directory.h"

namespace fireline::platform {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Row {
  const char* rule;
  mode_t mode;
  uid_t user;
  gid_t group;
  std::string text;
  const char* token;  // none: an error
  const char* error;  // part of it
};

const Row kRows[] = {
    {"root may read and write", 0600, 0, 0, "secret", "secret", ""},
    {"root may read", 0400, 0, 0, "secret", "secret", ""},
    {"an editor's newline is no part of it", 0600, 0, 0, "  secret\r\n\n", "secret", ""},
    {"nor is its byte order mark", 0600, 0, 0, "\xEF\xBB\xBFsecret\r\n", "secret", ""},
    {"which alone is no token", 0600, 0, 0, "\xEF\xBB\xBF\n", nullptr, "is empty"},
    {"the group may not read", 0640, 0, 0, "secret", nullptr, "must have mode 0400 or 0600"},
    {"others may not read", 0604, 0, 0, "secret", nullptr, "must have mode 0400 or 0600"},
    {"nobody may run it", 0700, 0, 0, "secret", nullptr, "must have mode 0400 or 0600"},
    {"the owner is root", 0600, 1, 0, "secret", nullptr, "must belong to root"},
    {"the group is root", 0600, 0, 1, "secret", nullptr, "must belong to root"},
    {"an empty file is no token", 0600, 0, 0, "", nullptr, "is empty"},
    {"a blank file is no token", 0600, 0, 0, " \n\t ", nullptr, "is empty"},
    {"it is UTF-8", 0600, 0, 0, "sec\xffret", nullptr, "is not UTF-8"},
    {"the longest token", 0600, 0, 0, std::string(kTokenBytesMax, 's'), nullptr, nullptr},
    {"a longer file is something else", 0600, 0, 0, std::string(kTokenBytesMax + 1, 's'), nullptr, "too long"},
};

TEST(TokenFile, AWordMayNameTheFileOfTheToken) {
  const io::TemporaryDirectory directory;
  const std::string path = directory.path() + "/mounted";
  std::ofstream(path) << "of-the-file\n";
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  std::ofstream(directory.path() + "/empty") << " \n";
  std::ofstream(directory.path() + "/marked") << "\xEF\xBB\xBFof-the-editor\r\n";
  const struct {
    const char* rule;
    std::string word;
    std::optional<std::string> token;  // none: an error
  } kWords[] = {
      {"a token is itself", "t0k", "t0k"},
      {"without the newline of the file that somebody read it from", " t0k\n", "t0k"},
      {"the path of a file is what is in it", path, "of-the-file"},
      {"with a newline too", path + "\n", "of-the-file"},
      {"without an editor's byte order mark", directory.path() + "/marked", "of-the-editor"},
      {"a path where nothing is may be a token", directory.path() + "/none", directory.path() + "/none"},
      {"a folder is no file", directory.path(), directory.path()},
      {"a file of nothing is a mistake", directory.path() + "/empty", std::nullopt},
  };
  for (const auto& row : kWords) {
    SCOPED_TRACE(row.rule);
    const auto token = token_or_its_file(crypto::SecretText(row.word));
    ASSERT_EQ(token.has_value(), row.token.has_value());
    if (token) {
      EXPECT_EQ(token->view(), *row.token);
    }
  }
}

TEST(TokenFile, FollowsTheRulesAndNamesTheOneThatIsBroken) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make files of root (run as root)";
  const io::TemporaryDirectory directory;
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.rule);
    const std::string path = directory.path() + "/token";
    std::ofstream(path, std::ios::trunc) << row.text;
    ASSERT_EQ(::chown(path.c_str(), row.user, row.group), 0);
    ASSERT_EQ(::chmod(path.c_str(), row.mode), 0);
    const auto token = read_token_file(path);
    if (row.error != nullptr && *row.error != '\0') {
      ASSERT_FALSE(token);
      EXPECT_THAT(token.error().sentence, HasSubstr(row.error));
      EXPECT_THAT(token.error().sentence, HasSubstr(path));
      EXPECT_THAT(token.error().sentence, Not(HasSubstr("secret")));
      continue;
    }
    ASSERT_TRUE(token) << token.error().sentence;
    ASSERT_TRUE(token->has_value());
    EXPECT_EQ((*token)->view(), row.token != nullptr ? row.token : row.text);
  }
}

TEST(TokenFile, AMissingFileIsNoErrorAndADirectoryIs) {
  const io::TemporaryDirectory directory;
  const auto missing = read_token_file(directory.path() + "/none");
  ASSERT_TRUE(missing);
  EXPECT_FALSE(missing->has_value());
  const auto folder = read_token_file(directory.path());
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().sentence, HasSubstr("no ordinary file"));
}

TEST(TokenEnvironment, IsTakenErasedAndRemoved) {
  ASSERT_EQ(::setenv("FIRELINE_TEST_TOKEN", "very-secret ", 1), 0);
  const char* memory = std::getenv("FIRELINE_TEST_TOKEN");
  const auto token = take_environment_token("FIRELINE_TEST_TOKEN");
  ASSERT_TRUE(token);
  EXPECT_EQ(token->view(), "very-secret ");
  EXPECT_EQ(std::getenv("FIRELINE_TEST_TOKEN"), nullptr);
  EXPECT_EQ(*memory, '\0') << "the environment's memory, which /proc shows";
  EXPECT_FALSE(take_environment_token("FIRELINE_TEST_TOKEN"));
  ASSERT_EQ(::setenv("FIRELINE_TEST_TOKEN", "", 1), 0);
  EXPECT_FALSE(take_environment_token("FIRELINE_TEST_TOKEN"));
}

TEST(TokenCredential, IsReadFromSystemdsDirectoryAndTrimmed) {
  const io::TemporaryDirectory directory;
  ::unsetenv("CREDENTIALS_DIRECTORY");
  const auto without = read_credential();
  ASSERT_FALSE(without);
  EXPECT_THAT(without.error().sentence, HasSubstr("`CREDENTIALS_DIRECTORY` not provided"));
  ASSERT_EQ(::setenv("CREDENTIALS_DIRECTORY", directory.path().c_str(), 1), 0);
  const auto missing = read_credential();
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().sentence, HasSubstr(directory.path() + "/FIREZONE_TOKEN: No such file"));
  std::ofstream(directory.path() + "/FIREZONE_TOKEN") << "gateway-token\n";
  const auto token = read_credential();
  ::unsetenv("CREDENTIALS_DIRECTORY");
  ASSERT_TRUE(token) << token.error().sentence;
  EXPECT_EQ(token->view(), "gateway-token");
}

}  // namespace
}  // namespace fireline::platform
