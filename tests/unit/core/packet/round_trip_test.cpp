// Segmenter and coalescer against each other: what one cuts the other joins, byte for byte.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "core/packet/coalescer.h"
#include "core/packet/segmenter.h"
#include "tests/unit/core/packet/packets.h"

namespace fireline::packet {
namespace {

using test::gather;
using test::make_packet;
using test::Packet;
using test::PacketSpec;

constexpr CoalescerOptions kAll = {.tcp4 = true, .tcp6 = true, .udp = true};

struct Super {
  Packet bytes;
  Offload offload;
  std::size_t segment_count = 0;
};

// A super-packet as a sender's kernel makes it, its segments no more than the coalescer joins.
Super random_super(std::mt19937& random, PacketSpec spec) {
  spec.udp = random() % 3 == 0;
  spec.v6 = random() % 2 == 0;
  spec.traffic_class = static_cast<std::uint8_t>(random());
  spec.hop_limit = static_cast<std::uint8_t>(1 + random() % 255);
  spec.flow_label = static_cast<std::uint32_t>(random() & 0xFFFFF);
  spec.window = spec.udp ? std::uint16_t{0} : static_cast<std::uint16_t>(random());
  spec.flags = random() % 2 == 0 ? 0x010 : 0x018;
  spec.options = random() % 2 == 0 ? "" : spec.options;
  spec.seed = static_cast<std::uint8_t>(random());
  const auto mtu = static_cast<std::uint16_t>(576 + random() % (9000 - 576));
  const auto segment_bytes = static_cast<std::uint16_t>(mtu - 80);
  // At least two segments: a single one leaves without offload.
  const std::size_t most = std::min<std::size_t>(65000, segment_bytes * std::size_t{spec.udp ? kUdpMergeMax : 100});
  spec.payload = segment_bytes + 1 + random() % (most - segment_bytes);
  Super super;
  super.bytes = make_packet(spec);
  const auto kind = spec.udp ? Segmentation::udp : spec.v6 ? Segmentation::tcp6 : Segmentation::tcp4;
  super.offload = test::leave_checksum_open(super.bytes, kind, segment_bytes);
  super.segment_count = (spec.payload + segment_bytes - 1) / segment_bytes;
  return super;
}

std::vector<Packet> cut(Super& super) {
  const auto segmenter = Segmenter::make({super.bytes, super.offload});
  EXPECT_TRUE(segmenter.has_value());
  std::vector<Packet> segments;
  for (std::size_t i = 0; i < segmenter->segment_count(); ++i) {
    segments.emplace_back(segmenter->segment_length(i));
    segmenter->write(i, segments.back().data());
    EXPECT_EQ(test::fault_of(segments.back()), "");
  }
  return segments;
}

TEST(RoundTrip, CutAndJoinedAgainIsTheSuperPacket) {
  Coalescer coalescer(kAll);
  for (unsigned seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    Super super = random_super(
        random, {.sequence = static_cast<std::uint32_t>(random()), .id = static_cast<std::uint16_t>(random())});
    auto segments = cut(super);
    ASSERT_EQ(segments.size(), super.segment_count);
    TunWriteBatch batch;
    for (Packet& segment : segments) coalescer.add(segment, batch);
    coalescer.finish(batch);
    ASSERT_EQ(batch.packets.size(), 1u);
    const TunWrite& write = batch.packets[0];
    EXPECT_EQ(gather(batch, write), super.bytes);
    EXPECT_EQ(write.offload.segmentation, super.offload.segmentation);
    EXPECT_EQ(write.offload.segment_bytes, super.offload.segment_bytes);
    EXPECT_EQ(write.offload.checksum_start, super.offload.checksum_start);
    EXPECT_EQ(write.offload.checksum_offset, super.offload.checksum_offset);
  }
}

struct FlowKey {
  bool v6;
  std::uint16_t port;
  auto operator<=>(const FlowKey&) const = default;
};

FlowKey flow_of(ConstBytes packet) {
  return {!test::is_v4(packet), load_be16(packet, test::ip_header_bytes(packet))};
}

// Flows interleaved at random, with losses, repetitions, swaps and corrupt packets: what the kernel makes of the writes
// is, flow by flow, exactly what came in.
TEST(RoundTrip, JoinedAndCutAgainIsEachFlowInItsOrder) {
  Coalescer coalescer(kAll);
  std::size_t merged = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::vector<std::vector<Packet>> flows;
    const std::size_t flow_count = 1 + random() % 8;
    for (std::size_t f = 0; f < flow_count; ++f) {
      PacketSpec spec{.source_port = static_cast<std::uint16_t>(100 + f)};
      Super super = random_super(random, spec);
      flows.push_back(cut(super));
      auto& packets = flows.back();
      for (std::size_t fault = random() % 4; fault > 0 && packets.size() > 2; --fault) {
        const std::size_t at = random() % (packets.size() - 1);
        switch (random() % 4) {
          case 0:
            packets.erase(packets.begin() + static_cast<std::ptrdiff_t>(at));
            break;
          case 1:
            packets.insert(packets.begin() + static_cast<std::ptrdiff_t>(at), Packet(packets[at]));
            break;
          case 2:
            std::swap(packets[at], packets[at + 1]);
            break;
          default:
            packets[at].back() ^= std::byte{0x10};
            break;
        }
      }
    }
    std::map<FlowKey, std::vector<Packet>> expected;
    std::vector<Packet> arrivals;
    for (std::vector<std::size_t> at(flow_count, 0);;) {
      std::vector<std::size_t> left;
      for (std::size_t f = 0; f < flow_count; ++f) {
        if (at[f] < flows[f].size()) left.push_back(f);
      }
      if (left.empty()) break;
      const std::size_t f = left[random() % left.size()];
      arrivals.push_back(flows[f][at[f]++]);
      expected[flow_of(arrivals.back())].push_back(arrivals.back());
    }

    TunWriteBatch batch;
    for (Packet& packet : arrivals) coalescer.add(packet, batch);
    coalescer.finish(batch);

    std::map<FlowKey, std::vector<Packet>> received;
    for (const TunWrite& write : batch.packets) {
      Super super{gather(batch, write), write.offload, 0};
      auto& flow = received[flow_of(super.bytes)];
      if (write.offload.segmentation == Segmentation::none) {
        flow.push_back(super.bytes);
        continue;
      }
      merged += write.slice_count;
      for (Packet& packet : cut(super)) flow.push_back(std::move(packet));
    }
    // Identifications are numbered anew by the kernel; of super-packets without a gap they are the same.
    for (auto* side : {&expected, &received}) {
      for (auto& [key, packets] : *side) {
        for (Packet& packet : packets) {
          if (!key.v6) {
            store_be16(packet, 4, 0);
            store_be16(packet, 10, 0);
          }
        }
      }
    }
    ASSERT_EQ(received, expected);
  }
  EXPECT_GT(merged, 5000u) << "most packets of these flows can be merged";
}

}  // namespace
}  // namespace fireline::packet
