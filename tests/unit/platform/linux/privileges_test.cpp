#include "platform/linux/privileges.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

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

// A line of the calling thread's status; empty when there is none.
std::string thread_status(const std::string& key) {
  std::ifstream status("/proc/thread-self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":\t")) return line.substr(key.size() + 2);
  }
  return {};
}

struct DropRow {
  const char* sentence;
  bool keep;
  const char* capabilities;  // as /proc has them
};

// On a thread of its own, whose capabilities alone are gone then.
TEST(DropPrivileges, WhatIsKeptIsAllThatIsLeft) {
  if (!has_capability(CAP_NET_ADMIN) || !has_capability(CAP_SETPCAP)) GTEST_SKIP() << "run as root";
  constexpr DropRow kRows[]{{"nothing is kept", false, "0000000000000000"},
                            {"one capability is kept", true, "0000000000001000"}};
  for (const DropRow& row : kRows) {
    std::thread([&row] {
      const auto refused = row.keep ? drop_privileges({CAP_NET_ADMIN}) : drop_privileges();
      EXPECT_EQ(refused, std::nullopt) << row.sentence;
      for (const char* set : {"CapPrm", "CapEff", "CapBnd"}) {
        EXPECT_EQ(thread_status(set), row.capabilities) << row.sentence << ": " << set;
      }
      for (const char* set : {"CapInh", "CapAmb"}) {
        EXPECT_EQ(thread_status(set), "0000000000000000") << row.sentence << ": " << set;
      }
      EXPECT_EQ(thread_status("NoNewPrivs"), "1") << row.sentence;
      EXPECT_EQ(has_capability(CAP_NET_ADMIN), row.keep) << row.sentence;
      EXPECT_EQ(drop_privileges({CAP_NET_RAW}), std::nullopt) << "dropping again gains nothing";
      EXPECT_FALSE(has_capability(CAP_NET_RAW)) << row.sentence;
    }).join();
  }
}

TEST(NetworkAdmin, IsMissingWithoutTheCapabilityWhoeverTheUserIs) {
  if (::geteuid() != 0) GTEST_SKIP() << "nothing to give up (run as root)";
  std::optional<std::string> before;
  std::optional<std::string> after;
  std::thread([&] {
    before = missing_network_admin();
    // This thread alone, which ends here.
    if (::syscall(SYS_setresuid, 65534, 65534, 65534) == 0) after = missing_network_admin();
  }).join();
  EXPECT_FALSE(before) << *before;
  ASSERT_TRUE(after);
  EXPECT_NE(after->find("CAP_NET_ADMIN"), std::string::npos);
}

}  // namespace
}  // namespace fireline::platform
