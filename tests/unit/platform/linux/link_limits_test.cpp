#include "platform/linux/link_limits.h"

#include <gtest/gtest.h>
#include <net/if.h>

#include <fstream>
#include <string>

#include "tests/unit/platform/linux/host_commands.h"

namespace fireline::platform {
namespace {

constexpr const char* kName = "fltest0";

void write_file(const char* path, const char* text) {
  std::ofstream file(path);
  file << text;
  ASSERT_TRUE(file.flush()) << path;
}

TEST(LinkLimits, TheKernelKeepsTheNumberOfSegments) {
  io::in_network_namespace([] {
    const auto tun = make_tun(kName);
    const auto error = set_gso_segments_max(::if_nametoindex(kName), 45);
    EXPECT_FALSE(error) << error->sentence;
    const std::string details = output_of("ip -d link show fltest0");
    EXPECT_NE(details.find("gso_max_segs 45 "), std::string::npos) << details;
  });
}

TEST(LinkLimits, AnInterfaceThatDoesNotExistIsAnError) {
  io::in_network_namespace([] {
    const auto error = set_gso_segments_max(999, 45);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, ENODEV);
    EXPECT_NE(error->sentence.find("super-packets"), std::string::npos);
  });
}

TEST(LinkLimits, ForwardingOfEitherFamilyIsSeen) {
  io::in_network_namespace([] {
    write_file("/proc/sys/net/ipv4/ip_forward", "0");
    write_file("/proc/sys/net/ipv6/conf/all/forwarding", "0");
    EXPECT_FALSE(forwards_packets());
    write_file("/proc/sys/net/ipv4/ip_forward", "1");
    EXPECT_TRUE(forwards_packets());
    write_file("/proc/sys/net/ipv4/ip_forward", "0");
    write_file("/proc/sys/net/ipv6/conf/all/forwarding", "1");
    EXPECT_TRUE(forwards_packets());
  });
}

}  // namespace
}  // namespace fireline::platform
