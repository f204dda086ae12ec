#include "core/packet/icmp_error.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "core/packet/ip_packet.h"
#include "tests/unit/core/packet/packets.h"

namespace fireline::packet {
namespace {

using namespace std::chrono_literals;
using test::from_hex;
using test::Packet;

// The offending packets of the tunnel rules' vectors V4 and V5.
const char* const kUdp4 = "45000021000040004011cc7d6440000a0a0000059c40270f000d8a6368656c6c6f";
const char* const kUdp6 =
    "60000000000d1140fd00202111110000000000000000000afd0020211111800000000000000000019c40270f000d1c4168656c6c6f";
const char* const kQuote4 = "45000021000040004011cc7d6440000a0a0000059c40270f000d8a63";

Result<Packet, IcmpRefusal> build(IcmpReason reason, const Packet& offending, std::uint32_t mtu = 0,
                                  std::optional<IpAddress> source = {}) {
  const auto header = IpHeader::parse(offending);
  const IpAddress from = source ? *source : header ? header->destination_address() : IpAddress();
  Packet out(kIcmpErrorBytes);
  const auto length = build_icmp_error(reason, mtu, from, offending, out);
  if (!length) return err(length.error());
  out.resize(*length);
  return out;
}

struct VectorRow {
  const char* rule;
  IcmpReason reason;
  const char* offending;
  std::string expected;
};

TEST(IcmpError, VectorsV4AndV5OfTheTunnelRules) {
  const std::string header6 = "60000000003d3a14fd002021111180000000000000000001fd00202111110000000000000000000a";
  const VectorRow rows[] = {
      {"IPv4 prohibited", IcmpReason::prohibited, kUdp4,
       std::string("45000038000040001401f8760a0000056440000a030daf3200000000") + kQuote4},
      {"IPv4 network", IcmpReason::network, kUdp4,
       std::string("45000038000040001401f8760a0000056440000a0300af3f00000000") + kQuote4},
      {"IPv6 network", IcmpReason::network, kUdp6, header6 + "0103b0e400000000" + kUdp6},
      {"IPv6 prohibited", IcmpReason::prohibited, kUdp6, header6 + "0101b0e600000000" + kUdp6},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto built = build(row.reason, from_hex(row.offending));
    ASSERT_TRUE(built.has_value());
    EXPECT_EQ(*built, from_hex(row.expected));
  }
}

struct TypeRow {
  const char* rule;
  IcmpReason reason;
  bool v6;
  int type;
  int code;
  std::uint32_t mtu;
  std::uint32_t rest;
};

const TypeRow kTypeRows[] = {
    {"IPv4 too big carries the MTU in its low half", IcmpReason::too_big, false, 3, 4, 1420, 1420},
    {"an MTU above 65,535 is capped for IPv4", IcmpReason::too_big, false, 3, 4, 100000, 65535},
    {"IPv4 without a route: host unreachable, no MTU", IcmpReason::no_route, false, 3, 1, 1420, 0},
    {"IPv6 too big carries 32 bits", IcmpReason::too_big, true, 2, 0, 100000, 100000},
    {"IPv6 without a route", IcmpReason::no_route, true, 1, 0, 1420, 0},
};

TEST(IcmpError, TypesCodesAndMtu) {
  for (const auto& row : kTypeRows) {
    SCOPED_TRACE(row.rule);
    const Packet offending = test::make_packet({.v6 = row.v6, .payload = 1300});
    const auto own = IpAddress::parse(row.v6 ? "fd00::1234" : "10.9.8.7");
    const auto built = build(row.reason, offending, row.mtu, own);
    ASSERT_TRUE(built.has_value());
    const auto packet = IpPacket::parse(*built);
    ASSERT_TRUE(packet.has_value());
    EXPECT_EQ(packet->source_address(), *own);
    EXPECT_TRUE(std::ranges::equal(packet->destination(), IpHeader::parse(offending)->source()));
    const ConstBytes icmp = packet->transport();
    EXPECT_EQ(load_u8(icmp, 0), row.type);
    EXPECT_EQ(load_u8(icmp, 1), row.code);
    EXPECT_EQ(load_be32(icmp, 4), row.rest);
    EXPECT_EQ(test::slow_sum(icmp, row.v6 ? test::slow_pseudo_sum(*built) : 0), 0xFFFF);
    if (!row.v6) {
      EXPECT_EQ(test::slow_sum(ConstBytes(*built).first(20)), 0xFFFF);
    }
    EXPECT_EQ(built->size(), row.v6 ? 1280u : 20u + 8 + 20 + 8);
    EXPECT_TRUE(std::ranges::equal(icmp.subspan(8), ConstBytes(offending).first(icmp.size() - 8)));
  }
}

TEST(IcmpError, Ipv4OptionsAreQuotedAndShortPacketsWhole) {
  const auto with_options = build(IcmpReason::network, test::make_packet({.ip_options = "01010101"}));
  ASSERT_TRUE(with_options.has_value());
  EXPECT_EQ(with_options->size(), 20u + 8 + 24 + 8);
  Packet two_bytes = test::make_packet({.udp = true, .payload = 0});
  two_bytes.resize(22);
  store_be16(two_bytes, 2, 22);
  const auto whole = build(IcmpReason::network, two_bytes);
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->size(), 20u + 8 + 22);
}

struct RefusalRow {
  const char* rule;
  const char* offending;
  std::optional<IcmpRefusal> refusal;
};

const RefusalRow kRefusalRows[] = {
    {"a UDP packet is answered", "45000021000040004011cc7d6440000a0a0000059c40270f000d8a6368656c6c6f", {}},
    {"an empty packet is none", "", IcmpRefusal::bad_packet},
    {"version 5", "5500001c000040004001000000000000000000000800000000000000", IcmpRefusal::bad_packet},
    {"an echo request is answered", "4500001c00004000400100000a0000010a0000020800000000000000", {}},
    {"an echo reply is answered", "4500001c00004000400100000a0000010a0000020000000000000000", {}},
    {"destination unreachable", "4500001c00004000400100000a0000010a0000020300000000000000", IcmpRefusal::icmp_error},
    {"source quench", "4500001c00004000400100000a0000010a0000020400000000000000", IcmpRefusal::icmp_error},
    {"redirect", "4500001c00004000400100000a0000010a0000020500000000000000", IcmpRefusal::icmp_error},
    {"time exceeded", "4500001c00004000400100000a0000010a0000020b00000000000000", IcmpRefusal::icmp_error},
    {"parameter problem", "4500001c00004000400100000a0000010a0000020c00000000000000", IcmpRefusal::icmp_error},
    {"ICMP without a type may be an error", "4500001400004000400100000a0000010a000002", IcmpRefusal::icmp_error},
    {"a first fragment is answered", "4500001c00002000401100000a0000010a0000020102030400080000", {}},
    {"a later fragment", "4500001c00000001401100000a0000010a0000020102030400080000", IcmpRefusal::fragment},
    {"multicast destination", "4500001c00004000401100000a000001e00000fb0102030400080000", IcmpRefusal::bad_address},
    {"the last multicast address", "4500001c00004000401100000a000001efffffff0102030400080000",
     IcmpRefusal::bad_address},
    {"broadcast destination", "4500001c00004000401100000a000001ffffffff0102030400080000", IcmpRefusal::bad_address},
    {"multicast source", "4500001c0000400040110000e00000010a0000020102030400080000", IcmpRefusal::bad_address},
    {"broadcast source", "4500001c0000400040110000ffffffff0a0000020102030400080000", IcmpRefusal::bad_address},
    {"unspecified source", "4500001c0000400040110000000000000a0000020102030400080000", IcmpRefusal::bad_address},
    {"IPv6 packet too big",
     "6000000000083a40fd000000000000000000000000000001fd0000000000000000000000000000020200000000000000",
     IcmpRefusal::icmp_error},
    {"an unknown ICMPv6 error (127)",
     "6000000000083a40fd000000000000000000000000000001fd0000000000000000000000000000027f00000000000000",
     IcmpRefusal::icmp_error},
    {"an ICMPv6 redirect",
     "6000000000083a40fd000000000000000000000000000001fd0000000000000000000000000000028900000000000000",
     IcmpRefusal::icmp_error},
    {"an ICMPv6 echo request is answered",
     "6000000000083a40fd000000000000000000000000000001fd0000000000000000000000000000028000000000000000",
     {}},
    {"an ICMPv6 error behind an extension header",
     "6000000000103c40fd000000000000000000000000000001fd0000000000000000000000000000023a00010400000000"
     "0100000000000000",
     IcmpRefusal::icmp_error},
    {"IPv6 multicast destination",
     "6000000000081140fd000000000000000000000000000001ff0200000000000000000000000000020102030400080000",
     IcmpRefusal::bad_address},
    {"IPv6 unspecified source",
     "600000000008114000000000000000000000000000000000fd0000000000000000000000000000020102030400080000",
     IcmpRefusal::bad_address},
    {"a later IPv6 fragment",
     "6000000000102c40fd000000000000000000000000000001fd0000000000000000000000000000021100000800000000"
     "0102030400080000",
     IcmpRefusal::fragment},
};

TEST(IcmpError, WhatIsAnsweredAndWhatIsNot) {
  for (const auto& row : kRefusalRows) {
    SCOPED_TRACE(row.rule);
    const auto built = build(IcmpReason::prohibited, from_hex(row.offending));
    ASSERT_EQ(built.has_value(), !row.refusal.has_value());
    if (row.refusal) {
      EXPECT_EQ(built.error(), *row.refusal);
    }
  }
}

TEST(IcmpError, NoErrorAnswersAnyOfItsOwnErrors) {
  for (const auto reason : {IcmpReason::too_big, IcmpReason::no_route, IcmpReason::prohibited, IcmpReason::network}) {
    for (const char* const offending : {kUdp4, kUdp6}) {
      const auto first = build(reason, from_hex(offending));
      ASSERT_TRUE(first.has_value());
      const auto second = build(reason, *first);
      ASSERT_FALSE(second.has_value());
      EXPECT_EQ(second.error(), IcmpRefusal::icmp_error);
    }
  }
}

TEST(IcmpError, TheCallersMistakesAreRefused) {
  const auto other = build(IcmpReason::network, from_hex(kUdp4), 0, IpAddress::parse("fd00::1"));
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error(), IcmpRefusal::wrong_family);
  Packet out(kIcmpErrorBytes - 1);
  const auto small = build_icmp_error(IcmpReason::network, 0, *IpAddress::parse("10.0.0.1"), from_hex(kUdp4), out);
  ASSERT_FALSE(small.has_value());
  EXPECT_EQ(small.error(), IcmpRefusal::small_buffer);
}

TEST(IcmpRateLimiter, ABurstThenTheRate) {
  IcmpRateLimiter limiter(100, 50);
  Instant now{1h};
  int allowed = 0;
  for (int i = 0; i < 1000; ++i) allowed += limiter.allow(now) ? 1 : 0;
  EXPECT_EQ(allowed, 50) << "the bucket starts full";
  EXPECT_FALSE(limiter.allow(now + 9ms));
  EXPECT_TRUE(limiter.allow(now + 10ms));
  EXPECT_FALSE(limiter.allow(now + 10ms));
  allowed = 0;
  for (auto at = now + 11ms; at <= now + 1010ms; at += 1ms) allowed += limiter.allow(at) ? 1 : 0;
  EXPECT_EQ(allowed, 100) << "one second at the rate";
  allowed = 0;
  for (int i = 0; i < 1000; ++i) allowed += limiter.allow(now + 10h) ? 1 : 0;
  EXPECT_EQ(allowed, 50) << "a long pause fills it no higher than the burst";
}

}  // namespace
}  // namespace fireline::packet
