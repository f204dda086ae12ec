// What the portal's filter of system calls leaves, and what it refuses.
#include "tools/portal/system_calls.h"

#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <string_view>
#include <vector>

#include "platform/linux/seccomp.h"
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

TEST(PortalSystemCalls, OfWhatAnIntruderWouldDoFilesAloneAreLeft) {
  auto attempts = test::intrusions();
  std::erase_if(attempts, [](const test::Attempt& one) {
    const std::string_view what = one.what;
    return what == "write a file" || what == "make a file";
  });
  ASSERT_EQ(attempts.size() + 2, test::intrusions().size());
  test::expect_refused(confine, attempts);
}

}  // namespace
}  // namespace fireline::portal_tool
