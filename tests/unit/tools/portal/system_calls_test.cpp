// What the portal's filter of system calls leaves, and what it refuses.
#include "tools/portal/system_calls.h"

#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sqlite3.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <string_view>
#include <vector>

#include "platform/linux/seccomp.h"
#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/tools/common/confined.h"

namespace fireline::portal_tool {
namespace {

bool confine() {
  return !platform::allow_only(platform::common_calls(), portal_calls());
}

TEST(PortalSystemCalls, WhatASlowReaderHasAcknowledgedCanBeAsked) {
  EXPECT_EQ(test::confined(confine,
                           [] {
                             const int tcp = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
                             sockaddr_in address{};
                             address.sin_family = AF_INET;
                             address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                             socklen_t length = sizeof address;
                             auto* const name = reinterpret_cast<sockaddr*>(&address);
                             // Bound and not listening: connected to itself, which needs no second process.
                             if (::bind(tcp, name, length) != 0 || ::getsockname(tcp, name, &length) != 0) return errno;
                             if (::connect(tcp, name, length) != 0) return errno;
                             int unacknowledged = -1;
                             return test::error_of(::ioctl(tcp, SIOCOUTQ, &unacknowledged));
                           }),
            0);
}

// With locks of the file, and of the memory beside it.
TEST(PortalSystemCalls, ADatabaseIsOpenedWrittenAndClosed) {
  const io::TemporaryDirectory directory;
  const auto path = directory.path() + "/portal.db";
  const auto write = [&path] {
    sqlite3* database = nullptr;
    if (sqlite3_open(path.c_str(), &database) != SQLITE_OK) return 1;
    for (const char* const statement :
         {"PRAGMA journal_mode = WAL", "CREATE TABLE row (id)", "INSERT INTO row VALUES (1)", "SELECT * FROM row"}) {
      if (sqlite3_exec(database, statement, nullptr, nullptr, nullptr) != SQLITE_OK) return 2;
    }
    return sqlite3_close(database) == SQLITE_OK ? 0 : 3;
  };
  EXPECT_EQ(test::confined(confine, write), 0);
}

TEST(PortalSystemCalls, LibrariesGoOn) {
  test::expect_habits_left(confine);
}

TEST(PortalSystemCalls, OfWhatAnIntruderWouldDoFilesAloneAreLeft) {
  auto attempts = test::intrusions();
  std::erase_if(attempts, [](const test::Attempt& one) {
    const std::string_view what = one.what;
    return what == "write a file" || what == "make a file" || what == "lock a file";
  });
  ASSERT_EQ(attempts.size() + 3, test::intrusions().size());
  test::expect_refused(confine, attempts);
}

}  // namespace
}  // namespace fireline::portal_tool
