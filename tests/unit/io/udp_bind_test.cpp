// Options of UDP sockets that both backends bind with bind_udp().
#include "io/udp_bind.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "tests/unit/io/network_namespace.h"
#include "tests/unit/io/udp_backend.h"

namespace fireline::io {
namespace {

class UdpBindOn : public OnEachUdpBackend {};
FIRELINE_ON_EACH_UDP_BACKEND(UdpBindOn);

TEST_P(UdpBindOn, AMarkThatIsRefusedIsAnErrorAndNoSocket) {
  in_network_namespace([io = GetParam()] {
    // The raw call changes this thread alone; its capabilities go with the user.
    ASSERT_EQ(::syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    const auto marked = open_udp({.family = Family::v4, .fwmark = 0xfd002021, .io = io});
    ASSERT_FALSE(marked.has_value());
    EXPECT_EQ(marked.error().code, EPERM);
    EXPECT_TRUE(open_udp({.family = Family::v4, .io = io}).has_value()) << "it is the mark";
  });
}

TEST_P(UdpBindOn, PrefersALastingSourceAddressWhereItIsAsked) {
  in_network_namespace([io = GetParam()] {
    for (const bool asked : {false, true}) {
      const auto socket = open_port(io, {.family = Family::v6, .lasting_source = asked});
      ASSERT_TRUE(socket);
      int preferences = 0;
      socklen_t length = sizeof preferences;
      EXPECT_EQ(::getsockopt(socket->send_fd(), IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, &preferences, &length), 0);
      constexpr int kPublic = 2;  // RFC 5014
      EXPECT_EQ((preferences & kPublic) != 0, asked);
    }
  });
}

}  // namespace
}  // namespace fireline::io
