#include "platform/linux/privileges.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace fireline::platform {
namespace {

// FDSize of /proc/self/status: entries that the table has.
std::uint64_t table_entries() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::uint64_t entries = 0;
    if (word == "FDSize:" && status >> entries) return entries;
  }
  return 0;
}

TEST(DescriptorTable, GrowsToWhatIsWantedOnceAndNeverShrinks) {
  const std::uint64_t before = table_entries();
  const std::uint64_t wanted = 4 * std::max<std::uint64_t>(before, 64);
  ASSERT_NE(before, 0);
  if (wanted > descriptor_limit()) GTEST_SKIP() << "the limit of open files is " << descriptor_limit();
  EXPECT_TRUE(grow_descriptor_table(wanted));
  EXPECT_GE(table_entries(), wanted);
  EXPECT_TRUE(grow_descriptor_table(1));
  EXPECT_GE(table_entries(), wanted);
}

TEST(DescriptorTable, GrowsNoFurtherThanTheLimit) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit lowered{.rlim_cur = std::min<rlim_t>(before.rlim_cur, 600), .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &lowered), 0);
  EXPECT_TRUE(grow_descriptor_table(~std::uint64_t{0}));
  EXPECT_GE(table_entries(), lowered.rlim_cur);
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(DescriptorTable, NothingWantedIsRefused) {
  EXPECT_FALSE(grow_descriptor_table(0));
}

}  // namespace
}  // namespace fireline::platform
