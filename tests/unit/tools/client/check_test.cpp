// fireline-client --check: what the start would end with is said without it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "platform/linux/privileges.h"
#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/tools/common/scoped_environment.h"
#include "tools/client/program.h"

namespace fireline::client {
namespace {

struct Said {
  int code = 0;
  std::string error;
};

Said check(std::vector<const char*> words) {
  const test::ScopedEnvironment environment({{"FIREZONE_TOKEN", "t0k"}, {"FIREZONE_ID", "abc"}});
  words.insert(words.begin(), {"fireline-client", "--check"});
  testing::internal::CaptureStderr();
  const int code = run_command(static_cast<int>(words.size()), words.data());
  return {code, testing::internal::GetCapturedStderr()};
}

TEST(ClientCheck, SaysWhatTheStartWouldEndWith) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root has the right that is looked for (run as root)";
  const io::TemporaryDirectory directory;
  const std::string logs = directory.path() + "/logs";
  const struct {
    const char* rule;
    std::vector<const char*> words;
    const char* error;  // none: passed
  } kRows[] = {
      {"nothing is wrong", {}, nullptr},
      {"a folder for the log", {"--log-dir", logs.c_str()}, nullptr},
      {"one that cannot be made", {"--log-dir", "/proc/none"}, "cannot write log files to /proc/none"},
      {"certificates that are not there", {"--ca-file", "/none.pem"}, "cannot read certificates from /none.pem"},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    const auto said = check(row.words);
    EXPECT_EQ(said.code, row.error == nullptr ? 0 : 1);
    EXPECT_THAT(said.error, testing::HasSubstr(row.error == nullptr ? "" : row.error));
  }
}

TEST(ClientCheck, LooksForTheRightToConfigureTheNetwork) {
  Said said;
  std::thread([&] {  // capabilities are a thread's
    static_cast<void>(platform::drop_privileges());
    said = check({});
  })
      .join();
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.error, testing::HasSubstr("CAP_NET_ADMIN"));
}

}  // namespace
}  // namespace fireline::client
