#include "core/packet/ip_packet.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/core/packet/packets.h"

namespace fireline::packet {
namespace {

using test::from_hex;
using test::make_packet;
using test::Packet;

constexpr const char* kAddresses6 = "fd000000000000000000000000000001fd000000000000000000000000000002";

std::string ipv6(std::string_view length_and_next, std::string_view rest) {
  return "60000000" + std::string(length_and_next) + "40" + kAddresses6 + std::string(rest);
}

struct ErrorRow {
  const char* rule;
  std::string bytes;
  PacketError error;
};

const ErrorRow kErrorRows[] = {
    {"an empty packet", "", PacketError::too_short},
    {"19 bytes", "45000013000040004001000000000000000000", PacketError::too_short},
    {"version 0", std::string(40, '0'), PacketError::bad_version},
    {"version 5", "5500001400004000400100000a0000010a000002", PacketError::bad_version},
    {"IHL below five", "4400001400004000400100000a0000010a000002", PacketError::bad_header_length},
    {"IHL beyond the total length", "4600001400004000400100000a0000010a000002", PacketError::bad_header_length},
    {"total length below the header", "4500001300004000400100000a0000010a000002", PacketError::bad_header_length},
    {"total length zero", "4500000000004000400100000a0000010a000002", PacketError::bad_header_length},
    {"total length beyond the bytes", "4500001500004000400100000a0000010a000002", PacketError::bad_length},
    {"39 bytes of IPv6", ipv6("00003b", "").substr(0, 78), PacketError::too_short},
    {"IPv6 payload beyond the bytes", ipv6("00013b", ""), PacketError::bad_length},
};

TEST(IpHeader, WhatIsNoPacket) {
  for (const auto& row : kErrorRows) {
    SCOPED_TRACE(row.rule);
    const Packet bytes = from_hex(row.bytes);
    const auto header = IpHeader::parse(bytes);
    ASSERT_FALSE(header.has_value());
    EXPECT_EQ(header.error(), row.error);
    const auto packet = IpPacket::parse(bytes);
    ASSERT_FALSE(packet.has_value());
    EXPECT_EQ(packet.error(), row.error);
  }
}

TEST(IpHeader, FieldsOfBothVersions) {
  for (const bool v6 : {false, true}) {
    Packet bytes = make_packet({.v6 = v6, .traffic_class = 0xBA, .hop_limit = 17, .flow_label = 0xFFFFF});
    const std::size_t size = bytes.size();
    bytes.resize(size + 16);  // WireGuard's padding
    const auto header = IpHeader::parse(bytes);
    ASSERT_TRUE(header.has_value());
    EXPECT_EQ(header->is_v4(), !v6);
    EXPECT_EQ(header->family(), v6 ? Family::v6 : Family::v4);
    EXPECT_EQ(header->size(), size) << "cut to the inner length";
    EXPECT_EQ(header->bytes().data(), bytes.data());
    EXPECT_EQ(header->source_address().to_string(), v6 ? "fd00::1" : "10.0.0.1");
    EXPECT_EQ(header->destination_address().to_string(), v6 ? "fd00::63" : "10.0.0.99");
    EXPECT_EQ(header->traffic_class(), 0xBA);
    EXPECT_EQ(header->ecn(), Ecn::ect0);
    EXPECT_EQ(header->hop_limit(), 17);
  }
}

TEST(IpHeader, HeaderAloneIsAPacket) {
  EXPECT_TRUE(IpHeader::parse(from_hex("4500001400004000400100000a0000010a000002")).has_value());
  EXPECT_TRUE(IpHeader::parse(from_hex(ipv6("00003b", ""))).has_value());
}

struct Row {
  const char* rule;
  std::string bytes;
  int protocol;
  std::size_t header_bytes;
  std::size_t all_header_bytes;
  bool valid;
  int source_port;
  int destination_port;
  bool fragment;
  bool later_fragment;
};

const std::string kUdp =
    "9c4000350008"
    "0000";  // 40000 to 53, no payload
const std::string kTcp =
    "9c4001bb0000000100000002"
    "501000000000"
    "0000";  // 40000 to 443

const Row kRows[] = {
    {"UDP over IPv4", "4500001c00004000401100000a0000010a000002" + kUdp, 17, 20, 28, true, 40000, 53, false, false},
    {"TCP over IPv4", "4500002800004000400600000a0000010a000002" + kTcp, 6, 20, 40, true, 40000, 443, false, false},
    {"IPv4 options are header", "4600002000004000401100000a0000010a00000201010101" + kUdp, 17, 24, 32, true, 40000, 53,
     false, false},
    {"a UDP length beyond the packet", "4500001c00004000401100000a0000010a0000029c40003500090000", 17, 20, 20, false, 0,
     0, false, false},
    {"a UDP length short of the packet", "4500001d00004000401100000a0000010a000002" + kUdp + "00", 17, 20, 20, false, 0,
     0, false, false},
    {"seven bytes of UDP", "4500001b00004000401100000a0000010a0000029c400035000700", 17, 20, 20, false, 0, 0, false,
     false},
    {"a TCP data offset of four", "4500002800004000400600000a0000010a0000029c4001bb00000001000000024010000000000000", 6,
     20, 20, false, 0, 0, false, false},
    {"a TCP data offset beyond the packet",
     "4500002800004000400600000a0000010a0000029c4001bb00000001000000026010000000000000", 6, 20, 20, false, 0, 0, false,
     false},
    {"a first fragment has no ports", "4500001c00002000401100000a0000010a000002" + kUdp, 17, 20, 20, false, 0, 0, true,
     false},
    {"a later fragment", "4500001c00000001401100000a0000010a000002" + kUdp, 17, 20, 20, false, 0, 0, true, true},
    {"ICMP", "4500001c00004000400100000a0000010a0000020800000000000000", 1, 20, 20, true, 0, 0, false, false},
    {"ICMP cut off", "4500001b00004000400100000a0000010a00000208000000000000", 1, 20, 20, false, 0, 0, false, false},
    {"ICMPv6 over IPv4", "4500001c00004000403a00000a0000010a0000028000000000000000", 58, 20, 20, false, 0, 0, false,
     false},
    {"another protocol has no rules", "4500001400004000402f00000a0000010a000002", 47, 20, 20, true, 0, 0, false, false},
    {"an authentication header in IPv4",
     "4500003400004000403300000a0000010a000002"
     "110400000000000100000001000000000000000000000000" +
         kUdp,
     17, 44, 52, true, 40000, 53, false, false},
    {"UDP over IPv6", ipv6("000811", kUdp), 17, 40, 48, true, 40000, 53, false, false},
    {"hop-by-hop options", ipv6("001000", "1100010400000000" + kUdp), 17, 48, 56, true, 40000, 53, false, false},
    {"hop-by-hop, routing, destination options",
     ipv6("002000",
          "2b00010400000000"
          "3c00010400000000"
          "1100010400000000" +
              kUdp),
     17, 64, 72, true, 40000, 53, false, false},
    {"an authentication header counts four bytes", ipv6("001833", "1102" + std::string(28, '0') + kUdp), 17, 56, 64,
     true, 40000, 53, false, false},
    {"an atomic fragment is none", ipv6("00102c", "1100000000000001" + kUdp), 17, 48, 56, true, 40000, 53, false,
     false},
    {"nor is one whose reserved byte would be a length", ipv6("00102c", "1101000000000001" + kUdp), 17, 48, 56, true,
     40000, 53, false, false},
    {"a first IPv6 fragment", ipv6("00102c", "1100000100000001" + kUdp), 17, 48, 48, false, 0, 0, true, false},
    {"an atomic fragment inside a first one",
     ipv6("00182c",
          "2c00000100000001"
          "1100000000000002" +
              kUdp),
     17, 56, 56, false, 0, 0, true, false},
    {"a later IPv6 fragment", ipv6("00102c", "1100000800000001" + kUdp), 17, 48, 48, false, 0, 0, true, true},
    {"a later fragment of extension headers: data, not headers",
     ipv6("00102c",
          "3c00000800000001"
          "ffffffffffffffff"),
     60, 48, 48, true, 0, 0, true, true},
    {"no next header", ipv6("00003b", ""), 59, 40, 40, true, 0, 0, false, false},
    {"ICMPv6", ipv6("00083a", "8000000000000000"), 58, 40, 40, true, 0, 0, false, false},
    {"ICMPv4 over IPv6", ipv6("000801", "0800000000000000"), 1, 40, 40, false, 0, 0, false, false},
};

TEST(IpPacket, TheWayToTheTransportHeader) {
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    const Packet bytes = from_hex(row.bytes);
    const auto packet = IpPacket::parse(bytes);
    ASSERT_TRUE(packet.has_value());
    EXPECT_EQ(packet->protocol(), row.protocol);
    EXPECT_EQ(packet->header_bytes(), row.header_bytes);
    EXPECT_EQ(packet->all_header_bytes(), row.all_header_bytes);
    EXPECT_EQ(packet->transport_valid(), row.valid);
    EXPECT_EQ(packet->source_port(), row.source_port);
    EXPECT_EQ(packet->destination_port(), row.destination_port);
    EXPECT_EQ(packet->is_fragment(), row.fragment);
    EXPECT_EQ(packet->is_later_fragment(), row.later_fragment);
    EXPECT_EQ(packet->transport().size(), bytes.size() - row.header_bytes);
  }
}

std::string destination_options(int count) {
  std::string chain;
  for (int i = 0; i < count; ++i) chain += i + 1 == count ? "1100010400000000" : "3c00010400000000";
  return chain;
}

const ErrorRow kExtensionRows[] = {
    {"an extension header cut off before its length", ipv6("00073c", "11000104000000"), PacketError::bad_extension},
    {"an extension header longer than the packet", ipv6("00083c", "1101010400000000"), PacketError::bad_extension},
    {"an authentication header longer than the packet", ipv6("000833", "1101010400000000"), PacketError::bad_extension},
    {"an extension header that is not there", ipv6("00003c", ""), PacketError::bad_extension},
    {"nine extension headers", ipv6("00503c", destination_options(9) + kUdp), PacketError::bad_extension},
};

TEST(IpPacket, BrokenExtensionHeaders) {
  for (const auto& row : kExtensionRows) {
    SCOPED_TRACE(row.rule);
    const Packet bytes = from_hex(row.bytes);
    EXPECT_TRUE(IpHeader::parse(bytes).has_value()) << "a plain tunnel forwards it";
    const auto packet = IpPacket::parse(bytes);
    ASSERT_FALSE(packet.has_value());
    EXPECT_EQ(packet.error(), row.error);
  }
  const Packet eight = from_hex(ipv6("00483c", destination_options(8) + kUdp));
  const auto packet = IpPacket::parse(eight);
  ASSERT_TRUE(packet.has_value()) << "eight are the most";
  EXPECT_EQ(packet->destination_port(), 53);
}

TEST(IpPacket, WhatNamesHostsOnItsWay) {
  const auto with_options = [](const std::string& options) {
    return "4700001c00004000402f00000a0000010a000002" + options;
  };
  const auto with_routing = [](const std::string& type_and_left) {
    return ipv6("00182b", "3b02" + type_and_left + "00000000" + std::string(32, '2'));
  };
  const struct {
    const char* rule;
    std::string bytes;
    bool source_routed;
  } rows[] = {
      {"no options", "4500001400004000402f00000a0000010a000002", false},
      {"options that mean nothing", with_options("0101010101010100"), false},
      {"router alert", with_options("9404000001010101"), false},
      {"a recorded route", with_options("0707040000000001"), false},
      {"a loose source route", with_options("830704c000020100"), true},
      {"a strict source route", with_options("890704c000020100"), true},
      {"behind another option", with_options("0194040000830304"), true},
      {"of no hosts", with_options("8303040000000000"), true},
      {"behind the end of the options", with_options("00830704c0000201"), false},
      {"in the data of another option", with_options("4408830704c00002"), false},
      {"an option without a length", with_options("0101010101010144"), true},
      {"an option of length zero", with_options("4400010101010101"), true},
      {"an option of length one", with_options("4401010101010101"), true},
      {"an option beyond the header", with_options("0101010101014403"), true},
      {"a routing header of type 0", with_routing("0001"), true},
      {"of type 0, with its way behind it", with_routing("0000"), true},
      {"of segment routing", with_routing("0401"), true},
      {"of segment routing, with its way behind it", with_routing("0400"), false},
      {"of type 0, behind other extension headers",
       ipv6("00203c",
            "2c00010400000000"
            "2b00000000000001"
            "3b010000000000000000000000000000"),
       true},
      {"no routing header", ipv6("00083c", "3b00000100000000"), false},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    const Packet bytes = from_hex(row.bytes);
    const auto packet = IpPacket::parse(bytes);
    ASSERT_TRUE(packet.has_value());
    EXPECT_EQ(packet->is_source_routed(), row.source_routed);
  }
}

TEST(IpPacket, DontFragment) {
  EXPECT_TRUE(IpPacket::parse(make_packet({.fragment = 0x4000}))->dont_fragment());
  EXPECT_FALSE(IpPacket::parse(make_packet({.fragment = 0}))->dont_fragment());
  EXPECT_TRUE(IpPacket::parse(make_packet({.v6 = true}))->dont_fragment());
}

TEST(IpPacket, RandomBytesNeverLeadOutside) {
  std::mt19937 random(1);
  int accepted = 0;
  for (int round = 0; round < 100000; ++round) {
    Packet bytes(random() % 120);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    if (bytes.size() >= 6) {
      store_u8(bytes, 0, random() % 2 == 0 ? 0x45 : 0x60);
      if (random() % 2 == 0)
        store_be16(bytes, load_u8(bytes, 0) == 0x45 ? 2 : 4, static_cast<std::uint16_t>(random() % 100));
    }
    if (bytes.size() > 9) {
      constexpr std::uint8_t kProtocols[] = {0, 6, 17, 43, 44, 51, 58, 60};
      store_u8(bytes, load_u8(bytes, 0) == 0x45 ? 9 : 6, kProtocols[random() % 8]);
    }
    const auto packet = IpPacket::parse(bytes);
    if (!packet) continue;
    ++accepted;
    ASSERT_LE(packet->size(), bytes.size());
    ASSERT_LE(packet->header_bytes(), packet->all_header_bytes());
    ASSERT_LE(packet->all_header_bytes(), packet->size());
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace fireline::packet
