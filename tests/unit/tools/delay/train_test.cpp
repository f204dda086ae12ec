#include "tools/delay/train.h"

#include <gtest/gtest.h>

#include "core/packet/vnet_header.h"
#include "tests/unit/core/packet/packets.h"
#include "tools/delay/delay_line.h"

namespace fireline::lab {
namespace {

using namespace std::chrono_literals;
using packet::Segmentation;
using packet::test::fault_of;
using packet::test::leave_checksum_open;
using packet::test::make_packet;

constexpr std::size_t kEthernetBytes = 14;
constexpr std::size_t kHeaderBytes = packet::kVnetHeaderBytes + kEthernetBytes;
constexpr std::size_t kSegmentBytes = 1000;

struct Row {
  const char* rule;
  packet::test::PacketSpec spec;
  Segmentation segmentation;
};

const Row kRows[] = {
    {"a train of UDP datagrams over IPv4", {.udp = true, .payload = 3500}, Segmentation::udp},
    {"a train of UDP datagrams over IPv6", {.v6 = true, .udp = true, .payload = 3500}, Segmentation::udp},
    {"a TCP super-packet over IPv4", {.payload = 3500}, Segmentation::tcp4},
    {"a TCP super-packet over IPv6", {.v6 = true, .payload = 3500}, Segmentation::tcp6},
};

// As a packet socket with PACKET_VNET_HDR gives it.
Frame make_frame(const packet::test::PacketSpec& spec, Segmentation segmentation) {
  auto inner = make_packet(spec);
  auto offload = leave_checksum_open(inner, segmentation, segmentation == Segmentation::none ? 0 : kSegmentBytes);
  offload.checksum_start = static_cast<std::uint16_t>(offload.checksum_start + kEthernetBytes);
  Frame frame(kHeaderBytes, std::byte{0xEE});
  packet::encode_vnet_header(frame, offload, 0);
  frame.insert(frame.end(), inner.begin(), inner.end());
  return frame;
}

Frame train_of_udp() {
  return make_frame(kRows[0].spec, kRows[0].segmentation);
}

TEST(Train, IsCutIntoFramesWithFinishedChecksums) {
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    Frame frame = make_frame(row.spec, row.segmentation);
    const auto train = Train::of(frame);
    ASSERT_TRUE(train);
    ASSERT_EQ(train->count(), 4u);
    std::size_t payload = 0;
    for (std::size_t i = 0; i < train->count(); ++i) {
      const Frame segment = train->segment(i);
      EXPECT_EQ(fault_of(ConstBytes(segment).subspan(kHeaderBytes)), "");
      EXPECT_EQ(Frame(segment.begin(), segment.begin() + 10), Frame(10)) << "nothing is left for the kernel to do";
      EXPECT_EQ(segment[packet::kVnetHeaderBytes], std::byte{0xEE}) << "the link's addresses are kept";
      payload += segment.size() - (frame.size() - row.spec.payload);
    }
    EXPECT_EQ(payload, row.spec.payload);
  }
}

TEST(Train, WhatIsNoneTravelsAsOneFrame) {
  Frame single = make_frame({.udp = true, .payload = 100}, Segmentation::none);
  EXPECT_FALSE(Train::of(single));
  Frame nothing;
  EXPECT_FALSE(Train::of(nothing));
  Frame headers = train_of_udp();
  headers.resize(kHeaderBytes);
  EXPECT_FALSE(Train::of(headers));
  Frame damaged = train_of_udp();
  damaged[kHeaderBytes] = std::byte{0x55};
  EXPECT_FALSE(Train::of(damaged));
}

TEST(Train, StaysWholeOnAWireThatOnlyDelays) {
  DelayLine line({.delay = 10ms}, 1);
  line.push({}, train_of_udp());
  EXPECT_EQ(line.front(), train_of_udp());
  EXPECT_EQ(line.counts().frames, 1u);
}

TEST(Train, LosesSegmentsOneByOne) {
  const Frame train = train_of_udp();
  DelayLine line({.loss = 0.1}, 3);
  for (int i = 0; i < 2500; ++i) line.push({}, train);
  std::size_t whole = 0;
  while (line.due()) {
    whole += line.front().size() == train.size() ? 1u : 0u;
    line.pop();
  }
  const auto& counts = line.counts();
  EXPECT_EQ(counts.frames, 10000u) << "segments";
  EXPECT_EQ(counts.carried + counts.lost, counts.frames);
  // Six standard deviations: sqrt(10000 * 0.1 * 0.9) = 30; a train stays whole with 0.9^4 = 0.66, deviation 24.
  EXPECT_NEAR(static_cast<double>(counts.lost), 1000, 180);
  EXPECT_NEAR(static_cast<double>(whole), 1640, 144);
}

TEST(Train, SegmentsThatAreLateAreOvertaken) {
  DelayLine line({.delay = 10ms, .reorder = 0.5, .late_by = 2ms}, 5);
  const Instant begin{};
  for (int i = 0; i < 100; ++i) line.push(begin, train_of_udp());
  Instant last{};
  std::size_t late = 0;
  while (const auto due = line.due()) {
    EXPECT_GE(*due, last) << "whatever is due first leaves first";
    EXPECT_TRUE(*due == begin + 10ms || *due == begin + 12ms);
    late += *due == begin + 12ms ? 1u : 0u;
    last = *due;
    line.pop();
  }
  EXPECT_EQ(late, line.counts().late);
  EXPECT_EQ(line.counts().carried, 400u);
  EXPECT_NEAR(static_cast<double>(late), 200, 60) << "six standard deviations of 10";
}

}  // namespace
}  // namespace fireline::lab
