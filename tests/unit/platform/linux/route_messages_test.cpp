#include "platform/linux/route_messages.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include <string>

#include "platform/linux/routing.h"

namespace fireline::platform {
namespace {

std::string hex_of(const nlmsghdr* message) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  const auto* bytes = reinterpret_cast<const unsigned char*>(message);
  for (std::uint32_t i = 0; i < message->nlmsg_len; ++i) {
    text.push_back(kDigits[bytes[i] >> 4]);
    text.push_back(kDigits[bytes[i] & 15]);
  }
  return text;
}

// Platform specification 10; little-endian hosts, sequence number 1.
TEST(RouteMessages, AreTheSpecificationsByteByByte) {
  auto rule = NetlinkQuery::open();
  ASSERT_TRUE(rule);
  EXPECT_EQ(hex_of(write_rule(*rule, Family::v4, {.priority = 100, .mark = kSocketMark, .table = kTunnelTable})),
            "3c000000200005060100000000000000"
            "020000000000000102000000"
            "0800060064000000"
            "08000a00212000fd"
            "08000f0000fd2120"
            "0500150002000000");
  auto route = NetlinkQuery::open();
  ASSERT_TRUE(route);
  EXPECT_EQ(hex_of(write_route(*route, RTM_NEWROUTE, Prefix::parse("100.64.0.0/11").value(), kTunnelTable, 7)),
            "34000000180005060100000000000000"
            "020b00000004000100000000"
            "08000f0000fd2120"
            "0800010064400000"
            "0800040007000000");
}

}  // namespace
}  // namespace fireline::platform
