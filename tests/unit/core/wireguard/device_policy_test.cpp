// A layer above that decides about decrypted packets (inner_policy.h): what it is asked about and when, and what
// becomes of what it admits and refuses. In each world a sends to b, and the policy is b's.
#include <gtest/gtest.h>

#include <functional>

#include "core/wireguard/constants.h"
#include "core/wireguard/goodbye.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::wireguard {
namespace {

// Keeps what it was asked about, and answers by the test's rule.
class ScriptedPolicy final : public InnerPolicy {
 public:
  [[nodiscard]] bool admit(Now now, const crypto::PublicKey& peer, const packet::IpHeader& header,
                           Bytes packet) override {
    EXPECT_EQ(header.bytes().data(), packet.data());
    EXPECT_EQ(header.size(), packet.size());
    asked.emplace_back(packet.begin(), packet.end());
    peers.push_back(peer);
    last = now;
    return rule(packet);
  }

  std::function<bool(Bytes)> rule = [](Bytes) { return true; };
  Packets asked;
  std::vector<crypto::PublicKey> peers;
  Now last;
};

struct PolicyWorld {
  explicit PolicyWorld(packet::CoalescerOptions tun_offloads = {})
      : world({.profile = kFirezoneProfile,
               .mtu = 1280,
               .tun_offloads = tun_offloads,
               .link = Link::direct,
               .policy = &policy}) {
    world.connect();
    policy.asked.clear();
    policy.peers.clear();
  }
  ~PolicyWorld() { world.b.expect_ledger(); }

  // One batch from a to b.
  void send(const Packets& packets) {
    world.a.send(world.now, packets);
    world.settle();
  }
  [[nodiscard]] std::uint64_t refused() const { return world.b.count(DeviceCounter::drop_udp_refused); }

  ScriptedPolicy policy;
  World world;
};

Packets tcp_run(std::size_t count) {
  Packets packets;
  for (std::uint32_t i = 0; i < count; ++i) packets.push_back(tcp_packet("fd00::1", "fd00::2", 1000 + 500 * i, 500));
  return packets;
}

TEST(DevicePolicy, StandsInForTheAllowedIps) {
  const Packet foreign = udp_packet("192.168.7.7", "10.0.0.2", 50);
  PolicyWorld one;
  one.policy.rule = [&](Bytes packet) { return std::ranges::equal(packet, foreign); };
  one.send({foreign, a_to_b(), udp_packet("fd00::1", "fd00::2", 50)});
  EXPECT_EQ(one.world.b.delivered, Packets{foreign}) << "what it admits passes, whatever the allowed IPs say";
  EXPECT_EQ(one.refused(), 2u);
  EXPECT_EQ(one.world.b.count(DeviceCounter::drop_udp_disallowed_source), 0u);
}

TEST(DevicePolicy, IsAskedOnceForEachPacketInTheOrderOfArrival) {
  PolicyWorld one({.tcp4 = true, .tcp6 = true, .udp = true});
  Packets sent = tcp_run(5);
  for (std::size_t bytes = 0; bytes < 40; ++bytes) sent.push_back(a_to_b(bytes));  // each length of padding
  sent.push_back(udp_packet("fd00::1", "fd00::2", 33));
  one.send(sent);
  EXPECT_EQ(one.policy.asked, sent) << "cut to the length in the header";
  EXPECT_EQ(one.policy.peers, std::vector<crypto::PublicKey>(sent.size(), one.world.a.public_key));
  EXPECT_EQ(one.policy.last.boot, one.world.now.boot);
  EXPECT_EQ(one.policy.last.wall, one.world.now.wall);
  EXPECT_EQ(one.world.b.delivered, sent);
}

TEST(DevicePolicy, IsNotAskedAboutWhatIsNoPacketForIt) {
  const struct {
    const char* rule;
    void (*happen)(PolicyWorld&);
    DeviceCounter counter;
  } rows[] = {
      {"a keepalive", [](PolicyWorld& one) { one.world.advance(kKeepaliveTimeout); }, DeviceCounter::keepalives},
      {"a replay",
       [](PolicyWorld& one) {
         one.world.a.send(one.world.now, a_to_b());
         const auto sent = std::exchange(one.world.a.sent, {});
         one.world.b.receive(one.world.now, sent);
         one.policy.asked.clear();
         one.world.b.receive(one.world.now, sent);
       },
       DeviceCounter::drop_udp_replayed},
      {"a packet that was changed on its way",
       [](PolicyWorld& one) {
         one.world.a.send(one.world.now, a_to_b());
         one.world.a.sent[0].bytes.back() ^= std::byte{1};
         one.world.settle();
       },
       DeviceCounter::drop_udp_not_authentic},
      {"a goodbye",
       [](PolicyWorld& one) {
         one.world.a.device.send_packet(one.world.now, one.world.b.public_key, kGoodbye, one.world.a.output);
         one.world.a.collect();
         one.world.settle();
       },
       DeviceCounter::goodbyes},
      {"bytes that are no IP packet",
       [](PolicyWorld& one) {
         Packet none = a_to_b();
         none[0] = std::byte{0x55};
         one.world.a.device.send_packet(one.world.now, one.world.b.public_key, none, one.world.a.output);
         one.world.a.collect();
         one.world.settle();
       },
       DeviceCounter::drop_udp_bad_packet},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    PolicyWorld one;
    one.world.b.send(one.world.now, b_to_a());  // which a answers with a keepalive, later
    one.world.settle();
    const std::uint64_t counted = one.world.b.count(row.counter);
    row.happen(one);
    EXPECT_EQ(one.world.b.count(row.counter) - counted, 1u);
    EXPECT_EQ(one.policy.asked, Packets{});
  }
}

TEST(DevicePolicy, AnotherVerdictHoldsForTheNextPacketOfTheSameBatch) {
  PolicyWorld one({.tcp4 = true, .tcp6 = true, .udp = true});
  const Packets sent = tcp_run(8);
  one.policy.rule = [&](Bytes) { return one.policy.asked.size() <= 3; };
  one.send(sent);
  EXPECT_EQ(one.world.b.delivered, Packets(sent.begin(), sent.begin() + 3));
  EXPECT_EQ(one.world.b.tun_writes, 1u) << "merged, and nothing that was refused is in it";
  EXPECT_EQ(one.refused(), 5u);
}

TEST(DevicePolicy, IsAskedWhenPacketsAreCommittedAndNotWhenTheyArePlanned) {
  PolicyWorld one;
  one.world.a.send(one.world.now, {a_to_b(100, 1), a_to_b(100, 2)});
  packet::UdpBatch batch = one.world.b.udp_batch(std::exchange(one.world.a.sent, {}));
  one.world.b.device.plan(one.world.now, batch, *one.world.b.work);
  one.world.b.run(*one.world.b.work);
  EXPECT_EQ(one.policy.asked, Packets{});
  one.policy.rule = [](Bytes) { return false; };
  one.world.b.device.commit(one.world.now, *one.world.b.work, one.world.b.output);
  one.world.b.collect();
  EXPECT_EQ(one.world.b.delivered, Packets{}) << "what was taken away meanwhile does not pass";
  EXPECT_EQ(one.refused(), 2u);
}

TEST(DevicePolicy, MayChangeAPacketAndCongestionIsMarkedBehindIt) {
  PolicyWorld one;
  Packet sent = udp_packet("10.0.0.1", "10.0.0.2", 50, 0, packet::Ecn::ect0);
  one.policy.rule = [](Bytes packet) {
    packet[19] = std::byte{99};
    return true;
  };
  one.world.a.send(one.world.now, sent);
  for (Datagram& datagram : one.world.a.sent) datagram.ecn = packet::Ecn::ce;
  one.world.settle();
  EXPECT_EQ(one.policy.asked, Packets{sent}) << "as it was sent";
  ASSERT_EQ(one.world.b.delivered.size(), 1u);
  EXPECT_EQ(one.world.b.delivered[0][19], std::byte{99});
  EXPECT_EQ(packet::IpHeader::parse(one.world.b.delivered[0])->ecn(), packet::Ecn::ce);
}

// It was authentic: the session and its timers see it as any other.
TEST(DevicePolicy, WhatItRefusesWasReceivedAllTheSame) {
  PolicyWorld one;
  one.policy.rule = [](Bytes) { return false; };
  one.world.advance(1s);
  one.send({a_to_b()});
  EXPECT_EQ(one.world.b.device.last_data(one.world.a.public_key), one.world.now.boot);
  const std::uint64_t keepalives = one.world.b.count(DeviceCounter::sent_keepalives);
  one.world.advance(kKeepaliveTimeout + 1s);
  EXPECT_EQ(one.world.b.count(DeviceCounter::sent_keepalives) - keepalives, 1u);
}

}  // namespace
}  // namespace fireline::wireguard
