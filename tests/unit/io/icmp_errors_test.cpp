#include "io/icmp_errors.h"

#include <gtest/gtest.h>

#include <array>
#include <span>
#include <vector>

#include "io/socket_address.h"
#include "io/udp_bind.h"
#include "tests/unit/io/network_namespace.h"

namespace fireline::io {
namespace {

using namespace std::chrono_literals;

void send_byte(int socket, const Endpoint& to) {
  const auto address = to_socket_address(to);
  ASSERT_EQ(::sendto(socket, "x", 1, 0, address.get(), address.length), 1) << std::strerror(errno);
}

TEST(IcmpErrors, ClosedPortsAreHeardOfByTheirSenderAlone) {
  in_network_namespace([] {
    const auto loop = EventLoop::make().value();
    std::vector<Endpoint> heard;
    auto errors = IcmpErrors::open(*loop, [&](std::span<const Endpoint> destinations) {
      heard.insert(heard.end(), destinations.begin(), destinations.end());
    });
    ASSERT_TRUE(errors) << errors.error().message();

    for (const char* address : {"127.0.0.1", "::1"}) {
      heard.clear();
      const auto target = *IpAddress::parse(address);
      const auto ours = bind_udp({.family = target.family()}).value();
      const auto other = bind_udp({.family = target.family()}).value();
      (*errors)->set_ports(ours.port, ours.port);
      send_byte(other.fd.get(), {target, 9});
      send_byte(ours.fd.get(), {target, 10});
      for (int turn = 0; turn < 1200 && heard.empty(); ++turn) loop->turn(50ms);
      EXPECT_EQ(heard, (std::vector<Endpoint>{{target, 10}})) << address;
    }
  });
}

TEST(IcmpErrors, OneTurnTellsOnceWhatItRead) {
  in_network_namespace([] {
    const auto loop = EventLoop::make().value();
    std::vector<std::vector<Endpoint>> heard;
    auto errors = IcmpErrors::open(*loop, [&](std::span<const Endpoint> destinations) {
      heard.emplace_back(destinations.begin(), destinations.end());
    });
    ASSERT_TRUE(errors) << errors.error().message();
    const auto target = *IpAddress::parse("127.0.0.1");
    const auto ours = bind_udp({.family = target.family()}).value();
    (*errors)->set_ports(ours.port, 0);
    for (const std::uint16_t port : std::array<std::uint16_t, 3>{9, 10, 9}) send_byte(ours.fd.get(), {target, port});
    for (int turn = 0; turn < 1200 && heard.empty(); ++turn) loop->turn(50ms);
    EXPECT_EQ(heard, (std::vector<std::vector<Endpoint>>{{{target, 9}, {target, 10}}})) << "each destination once";
  });
}

}  // namespace
}  // namespace fireline::io
