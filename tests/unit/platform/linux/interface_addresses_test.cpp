#include "platform/linux/interface_addresses.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "tests/unit/io/few_descriptors.h"
#include "tests/unit/platform/linux/host_commands.h"

namespace fireline::platform {
namespace {

TEST(InterfaceAddresses, OfAllInterfacesWithTheirPrefixes) {
  io::in_network_namespace([] {
    run("ip link set lo up; ip address add 192.0.2.7/24 dev lo; ip address add 2001:db8::7/64 dev lo");
    const auto found = interface_addresses();
    ASSERT_TRUE(found) << found.error().sentence;
    for (const char* text : {"127.0.0.1/8", "192.0.2.7/24", "::1/128", "2001:db8::7/64"}) {
      const std::string_view wanted = text;
      EXPECT_TRUE(std::ranges::any_of(*found, [&](const InterfaceAddress& one) {
        return one.interface == "lo" && one.prefix == Prefix::parse(wanted) &&
               one.address == IpAddress::parse(wanted.substr(0, wanted.find('/')));
      })) << wanted;
    }
    EXPECT_EQ(found->size(), 4u);
  });
}

TEST(InterfaceAddresses, AListThatCannotBeReadIsNotEmpty) {
  const io::FewDescriptors none(0);
  const auto found = interface_addresses();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, EMFILE);
  EXPECT_EQ(found.error().sentence,
            "cannot list the addresses of this host's interfaces: Too many open files: raise this process's limit of "
            "open files");
}

}  // namespace
}  // namespace fireline::platform
