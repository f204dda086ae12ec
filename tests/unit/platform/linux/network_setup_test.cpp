#include "platform/linux/firewall/network_setup.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>

#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/platform/linux/host_commands.h"

namespace fireline::platform {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Host {
  io::TemporaryDirectory directory;
  NetworkSetup setup{.state_file = directory.path() + "/run/gateway/setup"};

  Host() {
    run("sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 net.ipv4.conf.all.src_valid_mark=0 "
        "net.ipv6.conf.default.forwarding=0 net.ipv6.conf.all.disable_ipv6=0");
  }
};

std::string settings() {
  return output_of(
      "sysctl -n net.ipv4.ip_forward net.ipv4.conf.all.src_valid_mark net.ipv6.conf.all.disable_ipv6 "
      "net.ipv6.conf.all.forwarding net.ipv6.conf.default.forwarding | tr '\\n' ' '");
}

TEST(NetworkSetup, MakesWhatAGatewayNeedsAndLeavesNothingBehind) {
  io::in_network_namespace([] {
    const Host host;
    const std::string rules_before = output_of("nft list ruleset");
    const auto first = set_up_network(host.setup);
    ASSERT_TRUE(first) << first.error().sentence;
    EXPECT_THAT(first->warnings, IsEmpty());
    EXPECT_EQ(settings(), "1 1 0 1 1 ");
    const std::string rules = output_of("nft list table inet fireline-gateway");
    EXPECT_THAT(rules, HasSubstr("iifname \"tun-firezone\" accept"));
    EXPECT_THAT(rules, HasSubstr("oifname \"tun-firezone\" accept"));
    EXPECT_THAT(rules, HasSubstr("ip saddr 100.64.0.0/11 oifname != { \"lo\", \"tun-firezone\" } masquerade"));
    EXPECT_THAT(rules, HasSubstr("ip6 saddr fd00:2021:1111::/107 oifname != { \"lo\", \"tun-firezone\" } masquerade"));

    const auto second = set_up_network(host.setup);
    ASSERT_TRUE(second);
    EXPECT_THAT(second->done, IsEmpty()) << "everything was as wanted";
    EXPECT_EQ(output_of("nft list table inet fireline-gateway"), rules);

    const auto undone = tear_down_network(host.setup);
    ASSERT_TRUE(undone);
    EXPECT_THAT(undone->warnings, IsEmpty());
    EXPECT_EQ(settings(), "0 0 0 0 0 ");
    EXPECT_EQ(output_of("nft list ruleset"), rules_before);
    EXPECT_FALSE(std::filesystem::exists(host.directory.path() + "/run/gateway"));

    const auto again = tear_down_network(host.setup);
    ASSERT_TRUE(again);
    EXPECT_THAT(again->done, IsEmpty());
    EXPECT_THAT(again->warnings, IsEmpty());
  });
}

// One router advertisement of a default router, as it comes from the interface at the other end of the cable.
void advertise_router(const char* from) {
  const io::FileDescriptor socket(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));  // sums by itself
  const int hops = 255;
  const int index = static_cast<int>(::if_nametoindex(from));
  ASSERT_EQ(::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops), 0);
  ASSERT_EQ(::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index), 0);
  sockaddr_in6 everybody{};
  everybody.sin6_family = AF_INET6;
  everybody.sin6_scope_id = static_cast<std::uint32_t>(index);
  ASSERT_EQ(::inet_pton(AF_INET6, "ff02::1", &everybody.sin6_addr), 1);
  constexpr std::array<std::uint8_t, 16> kMessage{134, 0, 0, 0, 64, 0, 0x07, 0x08};  // RFC 4861 4.2: 1,800 s
  ASSERT_EQ(::sendto(socket.get(), kMessage.data(), kMessage.size(), 0,
                     static_cast<sockaddr*>(static_cast<void*>(&everybody)), sizeof everybody),
            static_cast<ssize_t>(kMessage.size()));
}

//   client  100.64.0.5 ── tun-firezone  GATEWAY  uplink ── 198.51.100.2  server, without a way back to 100.64.0.0/11
struct Neighbours {
  std::string client = "flc" + std::to_string(::getpid());
  std::string server = "fls" + std::to_string(::getpid());

  // The name of the outer interface is none of e* and w*.
  Neighbours() {
    run("ip netns add " + client + " && ip netns add " + server);
    run("ip link add tun-firezone type veth peer name c0 netns " + client);
    run("ip link add uplink type veth peer name s0 netns " + server);
    run("ip link set tun-firezone up && ip address add 100.64.0.1/32 dev tun-firezone && "
        "ip -6 address add fd00:2021:1111::1/128 dev tun-firezone nodad && ip route add 100.64.0.0/11 dev tun-firezone "
        "&& "
        "ip -6 route add fd00:2021:1111::/107 dev tun-firezone");
    run("ip link set uplink up && ip address add 198.51.100.1/24 dev uplink && "
        "ip -6 address add 2001:db8::1/64 dev uplink nodad");
    const std::string in_client = "ip -n " + client + " ";
    run(in_client + "link set c0 up && " + in_client + "address add 100.64.0.5/32 dev c0 && " + in_client +
        "-6 address add fd00:2021:1111::5/128 dev c0 nodad && " + in_client + "route add 100.64.0.1/32 dev c0 && " +
        in_client + "route add default via 100.64.0.1 && " + in_client +
        "-6 route add fd00:2021:1111::1/128 dev c0 && " + in_client + "-6 route add default via fd00:2021:1111::1");
    const std::string in_server = "ip -n " + server + " ";
    run(in_server + "link set s0 up && " + in_server + "address add 198.51.100.2/24 dev s0 && " + in_server +
        "-6 address add 2001:db8::2/64 dev s0 nodad");
  }
  ~Neighbours() { run("ip netns del " + client + "; ip netns del " + server); }
  bool reaches(const std::string& address) const {
    const std::string ping = "ip netns exec " + client + " ping -n -c 3 -i 0.2 -W 0.3 " + address;
    return output_of(ping).find("bytes from") != std::string::npos;
  }
};

TEST(NetworkSetup, ClientsReachWhatIsBehindTheGatewayAndNotWithoutIt) {
  io::in_network_namespace([] {
    const Host host;
    const Neighbours neighbours;
    EXPECT_FALSE(neighbours.reaches("198.51.100.2"));
    ASSERT_TRUE(set_up_network(host.setup));
    EXPECT_TRUE(neighbours.reaches("198.51.100.2"));
    EXPECT_TRUE(neighbours.reaches("2001:db8::2"));
    ASSERT_TRUE(tear_down_network(host.setup));
    EXPECT_FALSE(neighbours.reaches("198.51.100.2"));
    EXPECT_FALSE(neighbours.reaches("2001:db8::2"));
  });
}

TEST(NetworkSetup, WhatTheOperatorHadSetStays) {
  io::in_network_namespace([] {
    const Host host;
    run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.default.forwarding=1");
    ASSERT_TRUE(set_up_network(host.setup));
    run("sysctl -qw net.ipv4.conf.all.src_valid_mark=0");  // somebody else's since
    ASSERT_TRUE(tear_down_network(host.setup));
    EXPECT_EQ(settings(), "1 0 0 0 1 ");
  });
}

TEST(NetworkSetup, ACrashBetweenTwoSetUpsForgetsNothing) {
  io::in_network_namespace([] {
    const Host host;
    ASSERT_TRUE(set_up_network(host.setup));
    run("sysctl -qw net.ipv4.ip_forward=0");
    ASSERT_TRUE(set_up_network(host.setup));
    ASSERT_TRUE(tear_down_network(host.setup));
    EXPECT_EQ(settings(), "0 0 0 0 0 ");
  });
}

TEST(NetworkSetup, ATableOfTheSameNameIsReplacedAndOthersStay) {
  io::in_network_namespace([] {
    const Host host;
    run("nft add table inet fireline-gateway; nft add chain inet fireline-gateway old; nft add table ip other");
    ASSERT_TRUE(set_up_network(host.setup));
    EXPECT_THAT(output_of("nft list ruleset"), Not(HasSubstr("chain old")));
    ASSERT_TRUE(tear_down_network(host.setup));
    EXPECT_EQ(output_of("nft list ruleset"), "table ip other {\n}\n");
  });
}

TEST(NetworkSetup, SaysWhichFilterOfOthersDrops) {
  io::in_network_namespace([] {
    const Host host;
    run("nft add table ip filter; nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; "
        "}'");
    const auto blocked = set_up_network(host.setup);
    ASSERT_TRUE(blocked);
    ASSERT_EQ(blocked->warnings.size(), 1u);
    EXPECT_THAT(blocked->warnings[0], HasSubstr("`ip filter FORWARD` drops forwarded packets"));
    // The advice, word for word.
    run("nft insert rule ip filter FORWARD iifname tun-firezone accept");
    run("nft insert rule ip filter FORWARD oifname tun-firezone accept");
    EXPECT_THAT(set_up_network(host.setup)->warnings, IsEmpty());
  });
}

TEST(NetworkSetup, SaysWhichRouteWillLapseWithForwarding) {
  io::in_network_namespace([] {
    const Host host;
    run("ip link add fllan0 type veth peer name flpeer0; sysctl -qw net.ipv6.conf.fllan0.accept_dad=0 "
        "net.ipv6.conf.flpeer0.accept_dad=0 net.ipv6.conf.fllan0.accept_ra=1 "
        "net.ipv6.conf.fllan0.accept_ra_from_local=1; "
        "ip link set fllan0 up; ip link set flpeer0 up");
    // A worker of the kernel's gives both their addresses, on a busy machine later.
    for (const char* one : {"fllan0", "flpeer0"}) {
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
      while (!output_of(std::string("ip -6 address show dev ") + one).contains("fe80::") &&
             std::chrono::steady_clock::now() < deadline) {
      }
    }
    const auto advertised = [] {
      advertise_router("flpeer0");
      return output_of("ip -6 route show default dev fllan0");
    };
    ASSERT_THAT(advertised(), HasSubstr("proto ra"));
    EXPECT_THAT(set_up_network(host.setup)->warnings,
                ElementsAre(HasSubstr("run `sysctl net.ipv6.conf.fllan0.accept_ra=2`")));
    EXPECT_THAT(output_of("ip -6 route show default dev fllan0"), IsEmpty()) << "the kernel deletes it at once";
    run("sysctl -qw net.ipv6.conf.fllan0.accept_ra=2");
    ASSERT_THAT(advertised(), HasSubstr("proto ra"));
    EXPECT_THAT(set_up_network(host.setup)->warnings, IsEmpty());
  });
}

TEST(NetworkSetup, AHostThatTookNoRedirectsTakesNoneAfterwards) {
  io::in_network_namespace([] {
    const auto redirects = [] { return output_of("sysctl -n net.ipv4.conf.all.accept_redirects"); };
    for (const std::string value : {"0", "1"}) {
      const Host host;
      run("sysctl -qw net.ipv4.conf.all.accept_redirects=" + value);
      ASSERT_TRUE(set_up_network(host.setup));
      EXPECT_EQ(redirects(), "0\n") << "the kernel's doing";
      ASSERT_TRUE(set_up_network(host.setup)) << "which is not what was before";
      ASSERT_TRUE(tear_down_network(host.setup));
      EXPECT_EQ(redirects(), value + '\n');
    }
    const Host host;
    ASSERT_TRUE(set_up_network(host.setup));
    run("sysctl -qw net.ipv4.conf.all.accept_redirects=1");
    ASSERT_TRUE(tear_down_network(host.setup));
    EXPECT_EQ(redirects(), "1\n") << "somebody else's since";
  });
}

TEST(NetworkSetup, NamesThatCouldBecomeCommandsAreRefused) {
  const io::TemporaryDirectory directory;
  for (const char* name : {"", "tun\" accept; flush ruleset", "tun 0", "an-interface-name-too-long"}) {
    SCOPED_TRACE(name);
    NetworkSetup setup{.interface = name, .state_file = directory.path() + "/setup"};
    EXPECT_FALSE(set_up_network(setup));
    EXPECT_FALSE(tear_down_network(setup));
  }
  EXPECT_FALSE(set_up_network({.table = "x; flush ruleset", .state_file = directory.path() + "/setup"}));
}

TEST(NetworkSetup, WithoutPrivilegeOneSentenceSaysWhatIsMissing) {
  io::in_network_namespace([] {
    const Host host;
    // This thread alone, which ends with the test.
    ASSERT_EQ(::syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    const auto refused = set_up_network(host.setup);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().sentence, HasSubstr("cannot make the nftables table inet fireline-gateway: "));
    EXPECT_THAT(refused.error().sentence, Not(HasSubstr(": :")));
    EXPECT_THAT(refused.error().sentence, HasSubstr("run as root"));
  });
}

}  // namespace
}  // namespace fireline::platform
