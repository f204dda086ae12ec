#include "platform/linux/nice_value.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <unistd.h>

#include <thread>

#include "platform/linux/privileges.h"

namespace fireline::platform {
namespace {

int nice_of_this_thread() {
  return ::getpriority(PRIO_PROCESS, 0);
}

struct NiceRow {
  const char* sentence;
  int before;
  std::optional<int> wanted;
  int after;
};

// Each on a thread of its own, whose value alone changes.
TEST(NiceValue, OfTheDataPlaneUnlessSomebodyChose) {
  if (!has_capability(CAP_SYS_NICE)) GTEST_SKIP() << "run as root";
  constexpr NiceRow kRows[]{{"nobody chose", 0, std::nullopt, kDataPlaneNice},
                            {"started behind others", 5, std::nullopt, 5},
                            {"started before others", -3, std::nullopt, -3},
                            {"asked for", 5, -20, -20},
                            {"asked to be as others", -7, 0, 0},
                            {"asked to be last", 0, 19, 19}};
  const int outside = nice_of_this_thread();
  for (const NiceRow& row : kRows) {
    std::thread([&row] {
      ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, row.before), 0) << row.sentence;
      EXPECT_EQ(set_nice_value(row.wanted), std::nullopt) << row.sentence;
      EXPECT_EQ(nice_of_this_thread(), row.after) << row.sentence;
      std::thread([&row] { EXPECT_EQ(nice_of_this_thread(), row.after) << row.sentence << ": inherited"; }).join();
    }).join();
    EXPECT_EQ(nice_of_this_thread(), outside) << row.sentence;
  }
}

TEST(NiceValue, WithoutTheRightOnlyWhatWasAskedForIsMissed) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NICE, &limit), 0);
  if (limit.rlim_cur > 20) GTEST_SKIP() << "the limit of nice values allows " << 20 - static_cast<int>(limit.rlim_cur);
  std::thread([] {
    ASSERT_EQ(drop_privileges(), std::nullopt);
    const int before = nice_of_this_thread();
    EXPECT_EQ(set_nice_value(), std::nullopt);
    EXPECT_EQ(nice_of_this_thread(), before);
    const auto refused = set_nice_value(before - 1);
    ASSERT_TRUE(refused.has_value());
    EXPECT_NE(refused->find("cannot run at nice " + std::to_string(before - 1)), std::string::npos) << *refused;
    EXPECT_NE(refused->find("grant CAP_SYS_NICE"), std::string::npos) << *refused;
    EXPECT_EQ(set_nice_value(before + 1), std::nullopt) << "behind others is everybody's right";
    EXPECT_EQ(nice_of_this_thread(), before + 1);
  }).join();
}

}  // namespace
}  // namespace fireline::platform
