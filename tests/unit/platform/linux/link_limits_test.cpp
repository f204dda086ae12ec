#include "platform/linux/link_limits.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "tests/unit/io/network_namespace.h"

namespace fireline::platform {
namespace {

constexpr const char* kName = "fltest0";

// What iproute2 reads back, a program that shares no code with ours.
std::string link_details() {
  std::string text;
  FILE* pipe = ::popen("ip -d link show fltest0", "r");
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text.push_back(static_cast<char>(c));
  ::pclose(pipe);
  return text;
}

void write_file(const char* path, const char* text) {
  std::ofstream file(path);
  file << text;
  ASSERT_TRUE(file.flush()) << path;
}

TEST(LinkLimits, TheKernelKeepsTheNumberOfSegments) {
  io::in_network_namespace([] {
    const io::FileDescriptor tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request = io::interface_request(kName);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    ASSERT_EQ(::ioctl(tun.get(), TUNSETIFF, &request), 0) << std::strerror(errno);
    const auto error = set_gso_segments_max(::if_nametoindex(kName), 45);
    EXPECT_FALSE(error) << error->sentence;
    EXPECT_NE(link_details().find("gso_max_segs 45 "), std::string::npos) << link_details();
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
