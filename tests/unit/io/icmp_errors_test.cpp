#include "io/icmp_errors.h"

#include <gtest/gtest.h>

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
    auto errors = IcmpErrors::open(*loop, [&](const Endpoint& destination) { heard.push_back(destination); });
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

}  // namespace
}  // namespace fireline::io
