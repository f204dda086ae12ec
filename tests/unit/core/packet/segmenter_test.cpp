#include "core/packet/segmenter.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/core/packet/packets.h"

namespace fireline::packet {
namespace {

using test::from_hex;
using test::leave_checksum_open;
using test::make_packet;
using test::Packet;

std::vector<Packet> segments_of(const Segmenter& segmenter) {
  std::vector<Packet> segments;
  for (std::size_t i = 0; i < segmenter.segment_count(); ++i) {
    constexpr auto kGuard = std::byte{0xA5};
    Packet segment(segmenter.segment_length(i) + 1, kGuard);
    segmenter.write(i, segment.data());
    EXPECT_EQ(segment.back(), kGuard) << "wrote behind the end of segment " << i;
    segment.pop_back();
    segments.push_back(std::move(segment));
  }
  return segments;
}

// The packets that the sender's stack would have made without offloads.
std::vector<Packet> expected_segments(const test::PacketSpec& whole, const Packet& super, std::size_t segment_bytes) {
  std::vector<Packet> expected;
  const std::size_t header = super.size() - whole.payload;
  for (std::size_t at = 0; at < whole.payload; at += segment_bytes) {
    test::PacketSpec spec = whole;
    const bool is_last = at + segment_bytes >= whole.payload;
    spec.payload = std::min(segment_bytes, whole.payload - at);
    spec.sequence = static_cast<std::uint32_t>(whole.sequence + at);
    spec.id = static_cast<std::uint16_t>(whole.id + expected.size());
    if (!is_last) spec.flags &= 0xFF6;  // FIN and PSH are the last one's
    if (at > 0) spec.flags &= 0xF7F;    // CWR is the first one's
    Packet segment = make_packet(spec);
    const auto from = super.begin() + static_cast<std::ptrdiff_t>(header + at);
    std::copy_n(from, spec.payload, segment.begin() + static_cast<std::ptrdiff_t>(header));
    test::finish_packet(segment);
    expected.push_back(std::move(segment));
  }
  return expected;
}

struct SuperRow {
  const char* rule;
  test::PacketSpec spec;
  Segmentation segmentation;
  std::uint16_t segment_bytes;
  std::size_t count;
};

const SuperRow kSuperRows[] = {
    {"TCP over IPv4, the last segment shorter", {.payload = 3000}, Segmentation::tcp4, 1228, 3},
    {"TCP over IPv4, equal segments", {.payload = 2456}, Segmentation::tcp4, 1228, 2},
    {"a super-packet of one segment", {.payload = 100}, Segmentation::tcp4, 1228, 1},
    {"segment size equal to the payload", {.payload = 1228}, Segmentation::tcp4, 1228, 1},
    {"FIN and PSH only on the last", {.flags = 0x019, .payload = 3000}, Segmentation::tcp4, 1000, 3},
    {"CWR only on the first, ECE on all", {.flags = 0x0D0, .payload = 3000}, Segmentation::tcp4, 1000, 3},
    {"the sequence number wraps", {.sequence = 0xFFFF'FF00, .payload = 3000}, Segmentation::tcp4, 1000, 3},
    {"the identification wraps", {.id = 0xFFFF, .payload = 3000}, Segmentation::tcp4, 1000, 3},
    {"no TCP options", {.options = "", .payload = 3000}, Segmentation::tcp4, 1000, 3},
    {"40 bytes of TCP options", {.options = std::string(80, '1'), .payload = 3000}, Segmentation::tcp4, 1000, 3},
    {"IPv4 options", {.ip_options = "0101010101010100", .payload = 3000}, Segmentation::tcp4, 1000, 3},
    {"TOS and TTL are copied", {.traffic_class = 0xBA, .hop_limit = 1, .payload = 3000}, Segmentation::tcp4, 1000, 3},
    {"without DF", {.fragment = 0, .payload = 3000}, Segmentation::tcp4, 1000, 3},
    {"odd segments", {.payload = 3001}, Segmentation::tcp4, 999, 4},
    {"segments of one byte", {.payload = 7}, Segmentation::tcp4, 1, 7},
    {"64 KiB at MTU 1420", {.payload = 65483}, Segmentation::tcp4, 1368, 48},
    {"256 segments", {.payload = 25600}, Segmentation::tcp4, 100, 256},
    {"TCP over IPv6",
     {.v6 = true, .traffic_class = 0xBA, .flow_label = 0xABCDE, .payload = 3000},
     Segmentation::tcp6,
     1208,
     3},
    {"UDP over IPv4", {.udp = true, .payload = 3000}, Segmentation::udp, 1232, 3},
    {"UDP over IPv6", {.v6 = true, .udp = true, .payload = 3000}, Segmentation::udp, 1232, 3},
};

TEST(Segmenter, SegmentsAreThePacketsThatTheSenderWouldHaveMade) {
  for (const auto& row : kSuperRows) {
    for (const bool needs_checksum : {true, false}) {
      SCOPED_TRACE(testing::Message() << row.rule << (needs_checksum ? "" : ", checksum complete"));
      Packet super = make_packet(row.spec);
      const auto expected = expected_segments(row.spec, super, row.segment_bytes);
      TunPacket packet{super, leave_checksum_open(super, row.segmentation, row.segment_bytes)};
      packet.offload.needs_checksum = needs_checksum;
      const Packet before = super;
      const auto segmenter = Segmenter::make(packet);
      ASSERT_TRUE(segmenter.has_value());
      ASSERT_EQ(segmenter->segment_count(), row.count);
      const auto segments = segments_of(*segmenter);
      EXPECT_EQ(segments, expected);
      for (const auto& segment : segments) EXPECT_EQ(test::fault_of(segment), "");
      EXPECT_EQ(super, before) << "the packet itself is not touched";
      EXPECT_EQ(segmenter->ecn(), static_cast<Ecn>(row.spec.traffic_class & 3u));
      EXPECT_EQ(segmenter->family(), row.spec.v6 ? Family::v6 : Family::v4);
      EXPECT_EQ(std::to_integer<int>(segmenter->destination().back()), 99);
      EXPECT_EQ(segmenter->destination().size(), row.spec.v6 ? 16u : 4u);
    }
  }
}

TEST(Segmenter, RandomSuperPacketsOfEveryMtu) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    test::PacketSpec spec;
    spec.v6 = random() % 2 == 0;
    spec.udp = random() % 3 == 0;
    spec.sequence = static_cast<std::uint32_t>(random());
    spec.id = static_cast<std::uint16_t>(random());
    spec.flags = static_cast<std::uint16_t>(0x010u | (random() & 0x0C9u));
    const auto mtu = 576 + random() % (9000 - 576);
    const auto segment_bytes = static_cast<std::uint16_t>(mtu - 72);
    spec.payload = 1 + random() % 65000;
    spec.seed = static_cast<std::uint8_t>(random());
    Packet super = make_packet(spec);
    const auto expected = expected_segments(spec, super, segment_bytes);
    const auto kind = spec.udp ? Segmentation::udp : spec.v6 ? Segmentation::tcp6 : Segmentation::tcp4;
    const TunPacket packet{super, leave_checksum_open(super, kind, segment_bytes)};
    const auto segmenter = Segmenter::make(packet);
    ASSERT_TRUE(segmenter.has_value());
    ASSERT_EQ(segments_of(*segmenter), expected);
  }
}

TEST(Segmenter, AUdpChecksumOfZeroIsSentAsFfff) {
  // The two payload bytes make the sum of the segment 0xFFFF, whose complement is zero.
  Packet packet = make_packet({.udp = true, .payload = 2});
  store_be16(packet, 28, 0);
  store_be16(packet, 26, 0);
  const std::uint16_t rest = test::slow_sum(ConstBytes(packet).subspan(20), test::slow_pseudo_sum(packet));
  store_be16(packet, 28, static_cast<std::uint16_t>(0xFFFF - rest));
  for (const auto segmentation : {Segmentation::udp, Segmentation::none}) {
    const std::uint16_t segment_bytes = segmentation == Segmentation::udp ? 1000 : 0;
    const TunPacket tun{packet, leave_checksum_open(packet, segmentation, segment_bytes)};
    const auto segmenter = Segmenter::make(tun);
    ASSERT_TRUE(segmenter.has_value());
    const auto segments = segments_of(*segmenter);
    ASSERT_EQ(segments.size(), 1u);
    EXPECT_EQ(load_be16(segments[0], 26), 0xFFFF);
    EXPECT_EQ(test::fault_of(segments[0]), "");
  }
}

TEST(Segmenter, UdpOverIpv4WithoutChecksumStaysWithout) {
  Packet super = make_packet({.udp = true, .payload = 3000});
  store_be16(super, 26, 0);
  const auto segmenter = Segmenter::make({super, {.segmentation = Segmentation::udp, .segment_bytes = 1000}});
  ASSERT_TRUE(segmenter.has_value());
  const auto segments = segments_of(*segmenter);
  ASSERT_EQ(segments.size(), 3u);
  for (const auto& segment : segments) EXPECT_EQ(load_be16(segment, 26), 0);
  const auto single = Segmenter::make({super, {}});
  ASSERT_TRUE(single.has_value());
  EXPECT_EQ(segments_of(*single)[0], super);
}

TEST(Segmenter, WithoutSegmentationThePacketIsCopied) {
  for (const bool v6 : {false, true}) {
    for (const bool udp : {false, true}) {
      const Packet complete = make_packet({.v6 = v6, .udp = udp, .payload = 1001});
      Packet packet = complete;
      const auto plain = Segmenter::make({packet, {}});
      ASSERT_TRUE(plain.has_value());
      EXPECT_EQ(segments_of(*plain), std::vector<Packet>{complete});

      const TunPacket open{packet, leave_checksum_open(packet, Segmentation::none, 0)};
      ASSERT_NE(packet, complete);
      const auto completing = Segmenter::make(open);
      ASSERT_TRUE(completing.has_value());
      EXPECT_EQ(segments_of(*completing), std::vector<Packet>{complete});
    }
  }
}

TEST(Segmenter, BytesBehindThePacketAreLeftOut) {
  const Packet complete = make_packet({.payload = 100});
  Packet padded = complete;
  padded.resize(complete.size() + 13, std::byte{0xFF});
  const auto plain = Segmenter::make({padded, {}});
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(segments_of(*plain), std::vector<Packet>{complete});
}

TEST(Segmenter, Ipv6ExtensionHeadersArePartOfEachHeader) {
  // Hop-by-hop options of 8 bytes before the TCP header of a super-packet of 1000 bytes.
  const test::PacketSpec spec{.v6 = true, .payload = 1000};
  const auto insert = [](Packet packet) {
    const Packet hop_by_hop = from_hex("0600010400000000");
    packet.insert(packet.begin() + 40, hop_by_hop.begin(), hop_by_hop.end());
    store_u8(packet, 6, 0);
    store_be16(packet, 4, static_cast<std::uint16_t>(packet.size() - 40));
    return packet;
  };
  const Packet plain = make_packet(spec);
  std::vector<Packet> expected;
  for (const auto& segment : expected_segments(spec, plain, 600)) expected.push_back(insert(segment));
  Packet super = insert(plain);
  const auto segmenter = Segmenter::make({super, {.segmentation = Segmentation::tcp6, .segment_bytes = 600}});
  ASSERT_TRUE(segmenter.has_value());
  EXPECT_EQ(segments_of(*segmenter), expected);
}

// TCP to fd00::7 over fd00::63: the header has the first hop, the checksum is over the last one.
TEST(Segmenter, BehindARoutingHeaderTheLastDestinationIsSummed) {
  const IpAddress last = *IpAddress::parse("fd00::7");
  Packet super = make_packet({.v6 = true, .payload = 1000});
  Packet routing = from_hex("06020401 00000000");
  routing.insert(routing.end(), last.bytes().begin(), last.bytes().end());
  super.insert(super.begin() + 40, routing.begin(), routing.end());
  store_u8(super, 6, 43);
  store_be16(super, 4, static_cast<std::uint16_t>(super.size() - 40));
  constexpr std::uint16_t kTransport = 64;
  const auto pseudo_sum = [&](std::size_t tcp_bytes) {
    Packet header(super.begin() + 8, super.begin() + 24);
    header.insert(header.end(), last.bytes().begin(), last.bytes().end());
    header.resize(40);
    store_be32(header, 32, static_cast<std::uint32_t>(tcp_bytes));
    store_u8(header, 39, kProtocolTcp);
    return test::slow_sum(header);
  };
  store_be16(super, kTransport + 16, pseudo_sum(super.size() - kTransport));
  for (const Offload& offload : {Offload{Segmentation::none, true, 0, kTransport, 16, false},
                                 Offload{Segmentation::tcp6, true, 600, kTransport, 16, false}}) {
    const auto segmenter = Segmenter::make({super, offload});
    ASSERT_TRUE(segmenter.has_value());
    for (const Packet& segment : segments_of(*segmenter)) {
      const ConstBytes tcp = ConstBytes(segment).subspan(kTransport);
      EXPECT_EQ(test::slow_sum(tcp, pseudo_sum(tcp.size())), 0xFFFF);
    }
  }
}

struct ErrorRow {
  const char* rule;
  test::PacketSpec spec;
  Offload offload;
  SegmentError error;
};

const ErrorRow kErrorRows[] = {
    {"TSO4 on an IPv6 packet",
     {.v6 = true},
     {Segmentation::tcp4, false, 50, 0, 0, false},
     SegmentError::wrong_protocol},
    {"TSO6 on an IPv4 packet", {}, {Segmentation::tcp6, false, 50, 0, 0, false}, SegmentError::wrong_protocol},
    {"TSO4 on UDP", {.udp = true}, {Segmentation::tcp4, false, 50, 0, 0, false}, SegmentError::wrong_protocol},
    {"USO on TCP", {}, {Segmentation::udp, false, 50, 0, 0, false}, SegmentError::wrong_protocol},
    {"a fragment", {.fragment = 0x2000}, {Segmentation::tcp4, false, 50, 0, 0, false}, SegmentError::wrong_protocol},
    {"segments of zero bytes", {}, {Segmentation::tcp4, false, 0, 0, 0, false}, SegmentError::empty_segment},
    {"no payload", {.payload = 0}, {Segmentation::tcp4, false, 50, 0, 0, false}, SegmentError::empty_segment},
    {"257 segments", {.payload = 257}, {Segmentation::tcp4, false, 1, 0, 0, false}, SegmentError::too_many_segments},
    {"a checksum that does not start at the transport header",
     {},
     {Segmentation::tcp4, true, 50, 24, 16, false},
     SegmentError::bad_checksum},
    {"a TCP checksum at UDP's place", {}, {Segmentation::tcp4, true, 50, 20, 6, false}, SegmentError::bad_checksum},
    {"a checksum field outside", {}, {Segmentation::none, true, 0, 150, 1, false}, SegmentError::bad_checksum},
    {"a checksum field far outside",
     {},
     {Segmentation::none, true, 0, 65535, 65535, false},
     SegmentError::bad_checksum},
};

TEST(Segmenter, ImpossibleOffloadsAreErrors) {
  for (const auto& row : kErrorRows) {
    SCOPED_TRACE(row.rule);
    Packet packet = make_packet(row.spec);
    const auto segmenter = Segmenter::make({packet, row.offload});
    ASSERT_FALSE(segmenter.has_value());
    EXPECT_EQ(segmenter.error(), row.error);
  }
}

struct BrokenRow {
  const char* rule;
  std::size_t offset;
  std::uint8_t value;
  SegmentError error;
};

const BrokenRow kBrokenRows[] = {
    {"version 5", 0, 0x55, SegmentError::bad_packet},
    {"total length beyond the bytes", 2, 0xFF, SegmentError::bad_packet},
    {"IHL of four", 0, 0x44, SegmentError::bad_packet},
    {"TCP data offset of four", 32, 0x40, SegmentError::bad_transport},
};

TEST(Segmenter, BrokenSuperPacketsAreErrors) {
  for (const auto& row : kBrokenRows) {
    SCOPED_TRACE(row.rule);
    Packet packet = make_packet({.options = "", .payload = 10});
    store_u8(packet, row.offset, row.value);
    const auto segmenter = Segmenter::make({packet, {.segmentation = Segmentation::tcp4, .segment_bytes = 5}});
    ASSERT_FALSE(segmenter.has_value());
    EXPECT_EQ(segmenter.error(), row.error);
  }
  Packet empty;
  const auto segmenter = Segmenter::make({empty, {}});
  ASSERT_FALSE(segmenter.has_value());
  EXPECT_EQ(segmenter.error(), SegmentError::bad_packet);
}

}  // namespace
}  // namespace fireline::packet
