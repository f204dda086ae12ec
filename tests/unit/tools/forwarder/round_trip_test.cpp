// A super-packet that was cut by Train and put together by Merge is the super-packet again: bytes, lengths, checksums.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/tools/forwarder/gathered.h"
#include "tools/forwarder/merge.h"
#include "tools/forwarder/train.h"

namespace fireline::forwarder {
namespace {

struct Inner {
  bool v6 = false;
  bool tcp = true;
  std::size_t payload_bytes = 0;
  std::size_t segment_bytes = 0;
  std::uint8_t flags = 0x10;  // ACK
};

// 32 bytes of overhead with the virtio_net_hdr, then the packet as a kernel would hand it over.
Octets frame_of(const Inner& inner) {
  const std::size_t transport = inner.v6 ? 40 : 20;
  const std::size_t headers = transport + (inner.tcp ? 32 : 8);
  Octets frame(kOverheadBytes + headers + inner.payload_bytes);
  const Bytes packet = Bytes(frame).subspan(kOverheadBytes);
  const auto length = static_cast<std::uint16_t>(packet.size());
  const auto transport_length = static_cast<std::uint16_t>(packet.size() - transport);
  if (inner.v6) {
    store_u8(packet, 0, 0x60);
    store_be16(packet, 4, transport_length);
    store_u8(packet, 6, inner.tcp ? kTcp : kUdp);
    store_u8(packet, 7, 64);
    for (std::size_t i = 8; i < 40; ++i) store_u8(packet, i, static_cast<std::uint8_t>(i));
  } else {
    store_u8(packet, 0, 0x45);
    store_be16(packet, 2, length);
    store_be16(packet, 4, 0xfffe);  // the identification wraps within the train
    store_be16(packet, 6, 0x4000);
    store_u8(packet, 8, 64);
    store_u8(packet, 9, inner.tcp ? kTcp : kUdp);
    store_be32(packet, 12, 0x0a090001);
    store_be32(packet, 16, 0x0a090002);
    store_be16(packet, 10, static_cast<std::uint16_t>(~fold(sum_words(packet.first(20)))));
  }
  store_be16(packet, transport, 4000);
  store_be16(packet, transport + 2, 5201);
  const std::uint16_t partial = fold(pseudo_sum(packet, inner.v6, inner.tcp ? kTcp : kUdp) + transport_length);
  if (inner.tcp) {
    store_be32(packet, transport + 4, 0xfffffff0);  // the sequence number wraps within the train
    store_be32(packet, transport + 8, 77);
    store_u8(packet, transport + 12, 0x80);
    store_u8(packet, transport + 13, inner.flags);
    store_be16(packet, transport + 16, partial);
  } else {
    store_be16(packet, transport + 4, transport_length);
    store_be16(packet, transport + 6, partial);
  }
  for (std::size_t i = 0; i < inner.payload_bytes; ++i) {
    store_u8(packet, headers + i, static_cast<std::uint8_t>(i * 7));
  }
  Vnet vnet;
  vnet.flags = kVnetNeedsChecksum;
  vnet.checksum_start = static_cast<std::uint16_t>(transport);
  vnet.checksum_offset = inner.tcp ? 16 : 6;
  if (inner.segment_bytes != 0) {
    vnet.gso_type = !inner.tcp ? kVnetUdp : inner.v6 ? kVnetTcpV6 : kVnetTcpV4;
    vnet.gso_bytes = static_cast<std::uint16_t>(inner.segment_bytes);
    vnet.header_bytes = static_cast<std::uint16_t>(headers);
  }
  vnet.store(Bytes(frame).subspan(kPadBytes));
  return frame;
}

struct Row {
  std::string rule;
  Inner inner;
  std::size_t datagrams;
};

TEST(RoundTrip, CutAndMergedIsTheSamePacket) {
  const Row rows[] = {
      {"three full TCP segments and a rest over IPv4", {false, true, 3 * 1368 + 5, 1368}, 4},
      {"exactly full segments over IPv6", {true, true, 4 * 1348, 1348}, 4},
      {"PSH belongs to the last segment alone", {false, true, 2 * 1000 + 1, 1000, 0x18}, 3},
      {"FIN belongs to the last segment alone", {true, true, 2 * 1000, 1000, 0x11}, 2},
      {"equal UDP datagrams over IPv4", {false, false, 5 * 1200, 1200}, 5},
      {"UDP datagrams with a shorter last over IPv6", {true, false, 5 * 1200 + 3, 1200}, 6},
      {"UDP datagrams of one byte over IPv4", {false, false, 3, 1}, 3},
      {"a single packet is one datagram and passes as it is", {false, true, 700, 0}, 1},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    Octets frame = frame_of(row.inner);
    const Octets original = frame;
    auto train = std::make_unique<Train>();
    ASSERT_TRUE(train->cut(frame));
    ASSERT_EQ(train->datagrams(), row.datagrams);
    Octets wire = gathered(train->pieces(0, train->datagrams()));
    const std::size_t datagram_bytes = train->datagram_bytes();

    Merge merge;
    merge.begin(wire, datagram_bytes);
    const Octets merged = gathered(merge.next(true));
    EXPECT_EQ(merged, Octets(original.begin() + kPadBytes, original.end()));
    EXPECT_TRUE(merge.next(true).empty()) << "nothing is left";
  }
}

TEST(RoundTrip, SegmentsThatDoNotBelongTogetherStayApart) {
  struct Case {
    std::string rule;
    std::size_t datagram;  // whose byte is changed
    std::size_t offset;    // in the packet
    std::vector<std::size_t> lengths;
  };
  // Four segments of 100 bytes, each a datagram of 32 + 52 + 100.
  const Case cases[] = {
      {"another acknowledgement starts a new packet", 2, 20 + 11, {10 + 52 + 200, 10 + 52 + 100, 10 + 52 + 100}},
      {"a gap in the sequence numbers starts a new packet", 1, 20 + 7, {10 + 52 + 100, 10 + 52 + 100, 10 + 52 + 200}},
      {"another source port starts a new packet", 3, 20 + 1, {10 + 52 + 300, 10 + 52 + 100}},
      {"another ECN mark starts a new packet", 3, 1, {10 + 52 + 300, 10 + 52 + 100}},
      {"PSH ends a packet", 1, 20 + 13, {10 + 52 + 200, 10 + 52 + 200}},
  };
  for (const Case& row : cases) {
    SCOPED_TRACE(row.rule);
    Octets frame = frame_of({false, true, 400, 100});
    auto train = std::make_unique<Train>();
    ASSERT_TRUE(train->cut(frame));
    Octets wire = gathered(train->pieces(0, train->datagrams()));
    wire[row.datagram * train->datagram_bytes() + kOverheadBytes + row.offset] ^= std::byte{0x08};
    Merge merge;
    merge.begin(wire, train->datagram_bytes());
    for (const std::size_t length : row.lengths) EXPECT_EQ(gathered(merge.next(true)).size(), length);
    EXPECT_TRUE(merge.next(true).empty());
  }
}

TEST(Train, ContradictingOffloadsAreRefused) {
  const auto refused = [](auto change) {
    Octets frame = frame_of({false, true, 3000, 1000});
    Vnet vnet = Vnet::load(Bytes(frame).subspan(kPadBytes));
    change(vnet);
    vnet.store(Bytes(frame).subspan(kPadBytes));
    return !std::make_unique<Train>()->cut(frame);
  };
  EXPECT_TRUE(refused([](Vnet& vnet) { vnet.gso_type = 3; })) << "UFO was never asked for";
  EXPECT_TRUE(refused([](Vnet& vnet) { vnet.gso_bytes = 0; })) << "a segment has at least a byte";
  EXPECT_TRUE(refused([](Vnet& vnet) { vnet.checksum_start = 60000; })) << "the transport header lies outside";
  EXPECT_TRUE(refused([](Vnet& vnet) { vnet.gso_bytes = 1; })) << "more segments than any train has";
  EXPECT_FALSE(refused([](Vnet&) {}));
}

TEST(RoundTrip, ATcpHeaderOfLessThanFiveWordsIsNeitherCutNorMerged) {
  for (unsigned words = 0; words < 5; ++words) {
    SCOPED_TRACE(words);
    const auto shorten = [&](Octets& frames, std::size_t from) {
      store_u8(Bytes(frames).subspan(from), kOverheadBytes + 20 + 12, static_cast<std::uint8_t>(words << 4));
    };
    auto train = std::make_unique<Train>();
    Octets super = frame_of({false, true, 3000, 1000});
    shorten(super, 0);
    EXPECT_FALSE(train->cut(super));

    Octets frame = frame_of({false, true, 200, 100});
    ASSERT_TRUE(train->cut(frame));
    Octets wire = gathered(train->pieces(0, 2));
    for (const std::size_t from : {std::size_t{0}, train->datagram_bytes()}) shorten(wire, from);
    Merge merge;
    merge.begin(wire, train->datagram_bytes());
    for (int i = 0; i < 2; ++i) EXPECT_EQ(merge.next(true).size(), 1u);
    EXPECT_TRUE(merge.next(true).empty());
  }
}

TEST(Train, ASendTakesWhatOneUdpPayloadHolds) {
  Octets frame = frame_of({false, true, 60000, 1368});
  auto train = std::make_unique<Train>();
  ASSERT_TRUE(train->cut(frame));
  EXPECT_EQ(train->datagrams_per_send(), 45u) << "65,507 / (32 + 52 + 1368)";
  Octets small = frame_of({false, false, 20000, 100});
  ASSERT_TRUE(train->cut(small));
  EXPECT_EQ(train->datagrams_per_send(), kTrainMax) << "older kernels refuse longer trains";
}

}  // namespace
}  // namespace fireline::forwarder
