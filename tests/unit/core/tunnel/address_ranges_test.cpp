#include "core/tunnel/address_ranges.h"

#include <gtest/gtest.h>

#include "core/tunnel/prohibited.h"
#include "core/tunnel/tun_configuration.h"
#include "tests/unit/core/packet/packets.h"
#include "tests/unit/core/tunnel/client_values.h"

namespace fireline::tunnel {
namespace {

using namespace test;
using packet::test::from_hex;

TEST(AddressRanges, EdgesOfEachRange) {
  struct Is {
    bool tunnel = false, proxy = false, sentinel = false, multicast = false;
  };
  const struct {
    const char* address;
    Is is;
  } kRows[] = {
      {"100.63.255.255", {}},
      {"100.64.0.0", {.tunnel = true}},
      {"100.95.255.255", {.tunnel = true}},
      {"100.96.0.0", {.proxy = true}},
      {"100.100.110.255", {.proxy = true}},
      {"100.100.111.0", {.proxy = true, .sentinel = true}},
      {"100.100.111.255", {.proxy = true, .sentinel = true}},
      {"100.100.112.0", {.proxy = true}},
      {"100.127.255.255", {.proxy = true}},
      {"100.128.0.0", {}},
      {"223.255.255.255", {}},
      {"224.0.0.0", {.multicast = true}},
      {"239.255.255.255", {.multicast = true}},
      {"240.0.0.0", {}},
      {"fd00:2021:1110:ffff:ffff:ffff:ffff:ffff", {}},
      {"fd00:2021:1111::", {.tunnel = true}},
      {"fd00:2021:1111::1f:ffff", {.tunnel = true}},
      {"fd00:2021:1111::20:0", {}},
      {"fd00:2021:1111:0:1::", {}},
      {"fd00:2021:1111:8000::", {.proxy = true}},
      {"fd00:2021:1111:8000::1f:ffff", {.proxy = true}},
      {"fd00:2021:1111:8000::20:0", {}},
      {"fd00:2021:1111:8000:100:100:111:0", {.sentinel = true}},
      {"fd00:2021:1111:8000:100:100:111:ff", {.sentinel = true}},
      {"fd00:2021:1111:8000:100:100:111:100", {}},
      {"ff02::16", {.multicast = true}},
      {"feff::1", {}},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.address);
    const IpAddress address = ip(row.address);
    EXPECT_EQ(is_tunnel_address(address.bytes()), row.is.tunnel);
    EXPECT_EQ(is_proxy_address(address.bytes()), row.is.proxy);
    EXPECT_EQ(is_sentinel_address(address.bytes()), row.is.sentinel);
    EXPECT_EQ(is_multicast_address(address.bytes()), row.is.multicast);
    // The tests of membership and the routes say the same.
    const bool in_v4 = net(std::string(kTunnelRangeV4)).contains(address);
    EXPECT_EQ(in_v4 || net(std::string(kTunnelRangeV6)).contains(address), row.is.tunnel);
    const bool proxy_v4 = net(std::string(kProxyRangeV4)).contains(address);
    EXPECT_EQ(proxy_v4 || net(std::string(kProxyRangeV6)).contains(address), row.is.proxy);
    const bool sentinel_v4 = net(std::string(kSentinelRangeV4)).contains(address);
    EXPECT_EQ(sentinel_v4 || net(std::string(kSentinelRangeV6)).contains(address), row.is.sentinel);
  }
  EXPECT_EQ(fixed_client_routes().size(), 6u);
}

// Vectors 4 and 5 of the tunnel specification, and what is made of them.
constexpr const char* kProhibited4 =
    "45000038000040001401f8760a0000056440000a030daf320000000045000021000040004011cc7d6440000a0a0000059c40270f000d8a63";
constexpr const char* kNetwork4 =
    "45000038000040001401f8760a0000056440000a0300af3f0000000045000021000040004011cc7d6440000a0a0000059c40270f000d8a63";
constexpr const char* kProhibited6 =
    "60000000003d3a14fd002021111180000000000000000001fd00202111110000000000000000000a0101b0e60000000060000000000d1140fd"
    "00202111110000000000000000000afd0020211111800000000000000000019c40270f000d1c4168656c6c6f";
constexpr const char* kNetwork6 =
    "60000000003d3a14fd002021111180000000000000000001fd00202111110000000000000000000a0103b0e40000000060000000000d1140fd"
    "00202111110000000000000000000afd0020211111800000000000000000019c40270f000d1c4168656c6c6f";

std::optional<std::string> prohibited(std::vector<std::byte> bytes) {
  const auto packet = packet::IpPacket::parse(bytes);
  const auto destination = packet ? prohibited_destination(*packet) : std::nullopt;
  return destination ? std::optional(destination->to_string()) : std::nullopt;
}

std::vector<std::byte> cut_to(std::vector<std::byte> packet, std::size_t bytes) {
  packet.resize(bytes);
  store_be16(packet, 2, static_cast<std::uint16_t>(bytes));
  return packet;
}

std::vector<std::byte> with_byte(std::vector<std::byte> packet, std::size_t at, std::uint8_t value) {
  packet[at] = std::byte{value};
  return packet;
}

TEST(Prohibited, WhichErrorsTellOfALostGrant) {
  const auto v4 = from_hex(kProhibited4);
  const auto v6 = from_hex(kProhibited6);
  const struct {
    const char* rule;
    std::vector<std::byte> packet;
    std::optional<std::string> destination;
  } kRows[] = {
      {"IPv4 3/13", v4, "10.0.0.5"},
      {"IPv6 1/1", v6, "fd00:2021:1111:8000::1"},
      {"IPv4 network unreachable is another matter", from_hex(kNetwork4), {}},
      {"IPv6 address unreachable as well", from_hex(kNetwork6), {}},
      {"IPv4 3/9 does not count", with_byte(v4, 21, 9), {}},
      {"IPv4 3/10 does not count", with_byte(v4, 21, 10), {}},
      {"the type of the other version does not count", with_byte(with_byte(v4, 20, 1), 21, 1), {}},
      {"the quote may end behind its addresses", cut_to(v4, 48), "10.0.0.5"},
      {"but not before", cut_to(v4, 47), {}},
      {"no quote", cut_to(v4, 28), {}},
      {"a quote of the other version", with_byte(v4, 28, 0x65), {}},
      {"no ICMP", with_byte(v4, 9, 17), {}},
      {"no packet", {}, {}},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    EXPECT_EQ(prohibited(row.packet), row.destination);
  }
}

}  // namespace
}  // namespace fireline::tunnel
