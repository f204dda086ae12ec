#include "core/packet/ecn.h"

#include <gtest/gtest.h>

#include "core/packet/ip_packet.h"
#include "tests/unit/core/packet/packets.h"

namespace fireline::packet {
namespace {

struct Row {
  Ecn inner;
  Ecn outer;
  Ecn result;
};

// The whole table of the tunnel rules, section 6.4.
constexpr Row kRows[] = {
    {Ecn::not_ect, Ecn::not_ect, Ecn::not_ect},
    {Ecn::not_ect, Ecn::ect1, Ecn::not_ect},
    {Ecn::not_ect, Ecn::ect0, Ecn::not_ect},
    {Ecn::not_ect, Ecn::ce, Ecn::not_ect},
    {Ecn::ect1, Ecn::not_ect, Ecn::ect1},
    {Ecn::ect1, Ecn::ect1, Ecn::ect1},
    {Ecn::ect1, Ecn::ect0, Ecn::ect1},
    {Ecn::ect1, Ecn::ce, Ecn::ce},
    {Ecn::ect0, Ecn::not_ect, Ecn::ect0},
    {Ecn::ect0, Ecn::ect1, Ecn::ect0},
    {Ecn::ect0, Ecn::ect0, Ecn::ect0},
    {Ecn::ect0, Ecn::ce, Ecn::ce},
    {Ecn::ce, Ecn::not_ect, Ecn::ce},
    {Ecn::ce, Ecn::ect1, Ecn::ce},
    {Ecn::ce, Ecn::ect0, Ecn::ce},
    {Ecn::ce, Ecn::ce, Ecn::ce},
};

TEST(Ecn, DecapsulationTable) {
  for (const bool v6 : {false, true}) {
    for (const Row& row : kRows) {
      SCOPED_TRACE(testing::Message() << (v6 ? "IPv6" : "IPv4") << " inner " << int(row.inner) << " outer "
                                      << int(row.outer));
      const auto dscp = std::uint8_t{0xB8};
      const auto before = static_cast<std::uint8_t>(dscp | static_cast<unsigned>(row.inner));
      const auto after = static_cast<std::uint8_t>(dscp | static_cast<unsigned>(row.result));
      auto packet = test::make_packet({.v6 = v6, .traffic_class = before, .flow_label = 0xABCDE});
      EXPECT_EQ(ecn_of(packet), row.inner);
      merge_ecn(packet, row.outer);
      EXPECT_EQ(packet, test::make_packet({.v6 = v6, .traffic_class = after, .flow_label = 0xABCDE}))
          << "only the bits and the IPv4 header checksum change";
    }
  }
}

TEST(Ecn, AWrongIpv4ChecksumStaysWrong) {
  auto packet = test::make_packet({.traffic_class = 2});
  store_be16(packet, 10, static_cast<std::uint16_t>(load_be16(packet, 10) + 1));
  merge_ecn(packet, Ecn::ce);
  EXPECT_EQ(ecn_of(packet), Ecn::ce);
  EXPECT_NE(test::slow_sum(ConstBytes(packet).first(20)), 0xFFFF);
}

}  // namespace
}  // namespace fireline::packet
