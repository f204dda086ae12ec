#include "core/tunnel/pending_flows.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/core/packet/packets.h"
#include "tests/unit/core/tunnel/client_values.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::tunnel {
namespace {

using namespace std::chrono_literals;
using namespace test;
using enum ClientCounter;
using wireguard::tcp_packet;
using wireguard::udp_packet;
using Packet = std::vector<std::byte>;

const Uuid kResource = uuid(1);
const Uuid kOther = uuid(2);

struct Fixture {
  explicit Fixture(std::size_t bytes_max = 1 << 20) : flows(bytes_max, counters) {}
  ~Fixture() {
    const auto of = [&](ClientCounter which) { return counters.get(which); };
    EXPECT_EQ(of(pending_packets), of(pending_released) + of(pending_repeated) + of(pending_replaced) +
                                       of(drop_pending_overwritten) + of(drop_pending_room) +
                                       of(drop_pending_abandoned) + waiting())
        << "each packet ends in one line";
  }

  void hold(const Uuid& resource, Packet packet, packet::Offload offload = {}) {
    static_cast<void>(flows.want(now, resource));
    flows.hold(resource, packet::Segmenter::make({.bytes = packet, .offload = offload}).value());
  }
  [[nodiscard]] std::vector<Packet> release(const Uuid& resource = kResource) {
    auto packets = flows.release(resource);
    return {packets.begin(), packets.end()};
  }
  [[nodiscard]] std::size_t waiting() const { return flows.packets(kResource) + flows.packets(kOther); }
  [[nodiscard]] std::uint64_t count(ClientCounter which) const { return counters.get(which); }

  Instant now{1000s};
  Counters<ClientCounter> counters;
  PendingFlows flows;
};

Packet numbered(std::uint8_t number, std::size_t payload = 100) {
  return udp_packet(kOwn4, "10.0.0.1", payload, number);
}

enum : std::uint8_t { kFin = 1, kSyn = 2, kAck = 16, kSynAck = 18 };

Packet tcp(std::uint8_t flags, std::uint32_t sequence, std::uint8_t option = 0,
           const std::string& destination = "10.0.0.1") {
  Packet packet = tcp_packet(kOwn4, destination, sequence, 4, option);  // the payload differs with `option`
  packet[20 + 13] = std::byte{flags};
  return packet;
}

// Vector 12 of the tunnel specification.
TEST(PendingFlows, ThePortalIsAskedAtOnceAndThenEveryTwoSecondsWithTraffic) {
  Fixture fixture;
  const struct {
    Duration at;
    bool asked;
  } kRows[] = {{0s, true}, {1s, false}, {1900ms, false}, {2s, true}, {3900ms, false}, {4s, true}, {1h, true}};
  for (const auto& row : kRows) {
    EXPECT_EQ(fixture.flows.want(fixture.now + row.at, kResource), row.asked) << row.at.count();
  }
  EXPECT_TRUE(fixture.flows.want(fixture.now + 1s, kOther)) << "nobody waits for another resource's answer";
}

TEST(PendingFlows, PacketsLeaveInTheirOrderAndOnce) {
  Fixture fixture;
  for (const std::uint8_t number : std::initializer_list<std::uint8_t>{1, 2, 3})
    fixture.hold(kResource, numbered(number));
  fixture.hold(kOther, numbered(4));
  EXPECT_TRUE(fixture.flows.contains(kResource));
  EXPECT_EQ(fixture.release(), (std::vector<Packet>{numbered(1), numbered(2), numbered(3)}));
  EXPECT_FALSE(fixture.flows.contains(kResource));
  EXPECT_TRUE(fixture.release().empty());
  EXPECT_EQ(fixture.release(kOther), std::vector<Packet>{numbered(4)});
  EXPECT_EQ(fixture.flows.bytes(), 0u);
  EXPECT_TRUE(fixture.flows.want(fixture.now, kResource)) << "wanted again, asked again";
}

TEST(PendingFlows, WhatIsNotAddedAndWhatTakesAnothersPlace) {
  const struct {
    const char* rule;
    std::vector<Packet> packets;
    std::vector<std::size_t> left;  // of these, in this order
  } kRows[] = {
      {"the same bytes again", {numbered(1), numbered(2), numbered(1)}, {0, 1}},
      {"other bytes of the same length", {numbered(1), numbered(2)}, {0, 1}},
      {"a SYN again, with a newer timestamp", {tcp(kSyn, 7, 1), numbered(2), tcp(kSyn, 7, 2)}, {2, 1}},
      {"a SYN with another sequence number", {tcp(kSyn, 7, 1), tcp(kSyn, 8, 2)}, {0, 1}},
      {"a SYN to somebody else", {tcp(kSyn, 7, 1), tcp(kSyn, 7, 2, "10.0.0.2")}, {0, 1}},
      {"SYN and ACK are no SYN", {tcp(kSynAck, 7, 1), tcp(kSynAck, 7, 2)}, {0, 1}},
      {"a SYN does not replace a SYN and ACK", {tcp(kSynAck, 7, 1), tcp(kSyn, 7, 2)}, {0, 1}},
      {"an ACK replaces nothing", {tcp(kAck, 7, 1), tcp(kAck, 7, 2)}, {0, 1}},
      {"a FIN replaces nothing", {tcp(kFin, 7, 1), tcp(kFin, 7, 2)}, {0, 1}},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    Fixture fixture;
    std::vector<Packet> expected;
    for (const Packet& packet : row.packets) fixture.hold(kResource, packet);
    for (const std::size_t index : row.left) expected.push_back(row.packets[index]);
    EXPECT_EQ(fixture.release(), expected);
    EXPECT_EQ(fixture.flows.bytes(), 0u);
  }
}

TEST(PendingFlows, AFullRingLosesItsOldest) {
  Fixture fixture;
  std::vector<Packet> expected;
  for (std::size_t i = 0; i < kPendingPackets + 3; ++i) {
    const Packet packet = numbered(static_cast<std::uint8_t>(i), 64 + i);
    fixture.hold(kResource, packet);
    if (i >= 3) expected.push_back(packet);
  }
  EXPECT_EQ(fixture.count(drop_pending_overwritten), 3u);
  EXPECT_EQ(fixture.release(), expected);
}

TEST(PendingFlows, AllResourcesShareTheBytesAndTheOneThatWasWantedLongestAgoPays) {
  Fixture fixture(1000);  // packets of 128 bytes: seven
  for (std::uint8_t i = 0; i < 4; ++i) fixture.hold(kResource, numbered(i));
  for (std::uint8_t i = 4; i < 8; ++i) fixture.hold(kOther, numbered(i));
  EXPECT_LE(fixture.flows.bytes(), 1000u);
  EXPECT_EQ(fixture.count(drop_pending_room), 1u);
  EXPECT_EQ(fixture.release(), (std::vector<Packet>{numbered(1), numbered(2), numbered(3)}));
  EXPECT_EQ(fixture.release(kOther).size(), 4u);

  for (std::uint8_t i = 0; i < 20; ++i) fixture.hold(kResource, numbered(i));
  EXPECT_EQ(fixture.flows.packets(kResource), 7u) << "alone it pays itself";

  fixture.hold(kOther, numbered(20));
  fixture.hold(kResource, numbered(21));
  EXPECT_EQ(fixture.flows.packets(kResource), 7u) << "wanted again, it is the later one";
  EXPECT_EQ(fixture.flows.packets(kOther), 0u);
}

TEST(PendingFlows, SuperPacketsWaitAsTheirSegments) {
  Fixture fixture;
  packet::Offload offload;
  const Packet whole = wireguard::tcp_super_packet(kOwn4, "10.0.0.1", 2500, 1000, offload);
  fixture.hold(kResource, whole, offload);
  const auto packets = fixture.release();
  ASSERT_EQ(packets.size(), 3u);
  EXPECT_EQ(packets[0].size(), 1040u);
  EXPECT_EQ(packets[2].size(), 540u);
  for (const Packet& packet : packets) EXPECT_EQ(packet::test::fault_of(packet), "");
}

TEST(PendingFlows, AbandonedPacketsAreCounted) {
  Fixture fixture;
  fixture.hold(kResource, numbered(1));
  fixture.hold(kResource, numbered(2));
  fixture.flows.abandon(kResource);
  fixture.flows.abandon(kResource);
  EXPECT_EQ(fixture.count(drop_pending_abandoned), 2u);
  EXPECT_EQ(fixture.flows.bytes(), 0u);
  EXPECT_EQ(fixture.flows.size(), 0u);
}

TEST(PendingFlows, WhoWaitsForRelaysAsksOnceTheyAreThere) {
  Fixture fixture;
  fixture.hold(kResource, numbered(1));
  fixture.hold(kOther, numbered(2));
  EXPECT_TRUE(fixture.flows.take_waiting_for_relays(fixture.now).empty());
  fixture.flows.wait_for_relays(kResource);
  fixture.flows.wait_for_relays(uuid(99));
  EXPECT_EQ(fixture.flows.take_waiting_for_relays(fixture.now + 3s), std::vector<Uuid>{kResource});
  EXPECT_TRUE(fixture.flows.take_waiting_for_relays(fixture.now + 3s).empty());
  EXPECT_FALSE(fixture.flows.want(fixture.now + 4s, kResource)) << "that was a question, too";
  EXPECT_EQ(fixture.release().size(), 1u) << "what waits stays";
}

}  // namespace
}  // namespace fireline::tunnel
