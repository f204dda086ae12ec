// What a datagram is and whose (connectivity specification 4.2), against a real relay.
#include <gtest/gtest.h>

#include <deque>

#include "core/node/demultiplexer.h"
#include "core/stun/channel_data.h"
#include "core/stun/message_writer.h"
#include "relay/protocol/server.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::node {
namespace {

using wireguard::Packet;
using wireguard::Packets;

const Endpoint kRelay = Endpoint::parse("203.0.113.1:3478").value();
const Endpoint kUs = Endpoint::parse("192.0.2.4:52625").value();
const Endpoint kPeer = Endpoint::parse("198.51.100.7:52625").value();
const Endpoint kOther = Endpoint::parse("198.51.100.8:52625").value();
const Endpoint kPeerAt3478 = Endpoint::parse("198.51.100.9:3478").value();
constexpr std::string_view kSecret = "4c98bf59c99b3e467ecd7cf9d6b3e5279645fca59be67bc5bb4af3cf653761ab";
constexpr std::string_view kUser = "1892160000:n23JJ2wKKtt30oXi";

Packet transport(std::size_t bytes = 60) {
  Packet packet(bytes);
  packet[0] = std::byte{4};
  return packet;
}
Packet stun_request() {
  Packet packet(64);
  stun::MessageWriter writer(packet, stun::MessageClass::request, stun::Method::binding, {});
  writer.add_text(stun::Attribute::username, "llqe:nk46");
  packet.resize(writer.message().size());
  return packet;
}
Packet on_channel(std::uint16_t number, const Packet& payload) {
  Packet packet(stun::kChannelHeaderBytes + payload.size());
  stun::write_channel_header(packet, number, static_cast<std::uint16_t>(payload.size()));
  std::ranges::copy(payload, packet.begin() + stun::kChannelHeaderBytes);
  return packet;
}

// A relay set with one allocation on a relay that answers at once, and two channels: 0x4000 to kPeer, 0x4001 to kOther.
class Bench final : public relay::Host, public StunReceiver {
 public:
  Bench() {
    turn::RelayEntry entry;
    entry.id = "relay";
    entry.address = kRelay;
    entry.username = std::string(kUser);
    entry.password = std::string(relay::FirezoneCredentials(kSecret).password(kUser)->view());
    relays.update(now, {}, std::array{entry});
    carry();
    for (const Endpoint& peer : {kPeer, kOther}) {
      relays.find("relay")->bind(now, peer);
      carry();
    }
  }

  void carry() {
    std::array<std::byte, turn::kMaxRequestBytes> request;
    for (;;) {
      while (relays.poll_event()) {
      }
      if (const auto transmit = relays.poll_transmit(request)) {
        server.handle_control(now, kUs, ConstBytes(request).first(transmit->bytes));
      } else if (!answers.empty()) {
        const Packet answer = answers.front();
        answers.pop_front();
        (void)relays.receive(now, kRelay, kUs, answer);
      } else {
        return;
      }
    }
  }

  // Splits one train; what the device gets as "source skip count" per run.
  std::vector<std::string> split(const Endpoint& source, const Packets& datagrams) {
    memory.clear();
    for (const Packet& datagram : datagrams) memory.insert(memory.end(), datagram.begin(), datagram.end());
    packet::UdpBatch batch;
    const std::size_t segment = datagrams.empty() ? 0 : datagrams.front().size();
    batch.datagrams.push_back({.bytes = memory,
                               .segment_bytes = static_cast<std::uint16_t>(segment),
                               .ecn = packet::Ecn::ect0,
                               .source = source,
                               .local = {.address = kUs.address, .interface = 0}});
    demultiplexer.split(now, batch, {.v4 = kUs.port, .v6 = kUs.port});
    std::vector<std::string> runs;
    for (const auto& run : batch.datagrams) {
      const std::size_t bytes = run.segment_bytes;
      const std::size_t count = bytes == 0 ? 1 : (run.bytes.size() + bytes - 1) / bytes;
      runs.push_back(run.source.to_string() + " skip " + std::to_string(run.skip) + " x" + std::to_string(count));
      EXPECT_EQ(run.ecn, packet::Ecn::ect0);
      EXPECT_EQ(run.local.address, run.skip == 0 ? kUs.address : kRelay.address);
    }
    return runs;
  }

  void receive_stun(Now, const Endpoint& source, const Endpoint& destination, const stun::MessageView&) override {
    counters.add(NodeCounter::to_agents);
    heard.push_back(source.to_string() + " at " + destination.address.to_string());
  }
  [[nodiscard]] std::uint64_t turn(turn::TurnCounter which) const { return relays.counters().get(which); }

  Now now{.boot = Instant(std::chrono::seconds(1000)), .wall = UnixTime(std::chrono::seconds(1700000000))};
  wireguard::SeededRandom random{1};
  wireguard::SeededRandom server_random{2};
  relay::Server server{relay::ServerConfig{.public_ip4 = kRelay.address,
                                           .public_ip6 = std::nullopt,
                                           .credentials = relay::FirezoneCredentials(kSecret),
                                           .peers = {},
                                           .limits = {}},
                       *this, server_random};
  std::deque<Packet> answers;
  turn::RelaySet relays{{}, random};
  Counters<NodeCounter> counters;
  Demultiplexer demultiplexer{relays, *this, counters};
  std::vector<std::string> heard;
  Packet memory;

 private:
  Opened open_port(std::uint16_t, relay::Families) override { return Opened::done; }
  void close_port(std::uint16_t) override {}
  void send_control(const Endpoint&, std::span<const std::byte> message) override {
    answers.emplace_back(message.begin(), message.end());
  }
  void send_peer(std::uint16_t, const Endpoint&, std::span<const std::byte>) override {}
  Offload offload(const relay::ChannelBinding&) override { return Offload::not_offloaded; }
  void prolong(const relay::ChannelBinding&) override {}
  void withdraw(const relay::ChannelBinding&) override {}
  void report(const relay::Event&) override {}
};

TEST(Demultiplexer, ATable) {
  const std::string peer = kPeer.to_string(), other = kOther.to_string(), relay = kRelay.to_string();
  const Packet data = transport();
  const Packet check = stun_request();
  // As long as each other, so that they can be one train.
  Packet long_data = transport(check.size());
  struct Row {
    const char* rule;
    Endpoint source;
    Packets train;
    std::vector<std::string> device;
    std::size_t stun;
    std::size_t relay_messages;
  };
  const Row rows[] = {
      {"WireGuard of a peer: the train as it is", kPeer, {data, data, data}, {peer + " skip 0 x3"}, 0, 0},
      {"with a shorter end", kPeer, {data, data, transport(40)}, {peer + " skip 0 x3"}, 0, 0},
      {"a check of a peer", kPeer, {check}, {}, 1, 0},
      {"a check inside of a train is handled, and cuts it",
       kPeer,
       {long_data, check, long_data, long_data},
       {peer + " skip 0 x1", peer + " skip 0 x2"},
       1,
       0},
      {"neither: the device counts it", kPeer, {Packet(33, std::byte{9})}, {peer + " skip 0 x1"}, 0, 0},
      {"reserved bytes: not WireGuard, the device counts it",
       kPeer,
       {[] {
         Packet packet = transport();
         packet[1] = std::byte{1};
         return packet;
       }()},
       {peer + " skip 0 x1"},
       0,
       0},
      {"nothing at all", kPeer, {}, {peer + " skip 0 x1"}, 0, 0},
      {"channel data is its peer's", kRelay, {on_channel(0x4000, data)}, {peer + " skip 4 x1"}, 0, 0},
      {"a train of one channel stays a train, its shorter end included",
       kRelay,
       {on_channel(0x4000, data), on_channel(0x4000, data), on_channel(0x4000, transport(40))},
       {peer + " skip 4 x3"},
       0,
       0},
      {"two channels are two runs",
       kRelay,
       {on_channel(0x4000, data), on_channel(0x4001, data), on_channel(0x4001, data), on_channel(0x4000, data)},
       {peer + " skip 4 x1", other + " skip 4 x2", peer + " skip 4 x1"},
       0,
       0},
      {"a check inside of a relayed train",
       kRelay,
       {on_channel(0x4000, long_data), on_channel(0x4000, check), on_channel(0x4000, long_data)},
       {peer + " skip 4 x1", peer + " skip 4 x1"},
       1,
       0},
      {"a channel that is not bound",
       kRelay,
       {on_channel(0x4002, data), on_channel(0x4000, data)},
       {peer + " skip 4 x1"},
       0,
       1},
      {"channel data of a wrong length is no channel data: the device counts it",
       kRelay,
       {[&] {
         Packet packet = on_channel(0x4000, data);
         packet[3] = std::byte{7};
         return packet;
       }()},
       {relay + " skip 0 x1"},
       0,
       0},
      {"a relay's message is the relay's, asked for or not", kRelay, {check}, {}, 0, 1},
      {"of a peer whose NAT mapped it to 3478: its own [bug]",
       kPeerAt3478,
       {check, long_data},
       {kPeerAt3478.to_string() + " skip 0 x1"},
       1,
       0},
      {"channel data of somebody who is no relay: the device counts it",
       kPeerAt3478,
       {on_channel(0x4000, data)},
       {kPeerAt3478.to_string() + " skip 0 x1"},
       0,
       0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    Bench bench;
    EXPECT_EQ(bench.split(row.source, row.train), row.device);
    EXPECT_EQ(bench.heard.size(), row.stun);
    EXPECT_EQ(bench.counters.get(NodeCounter::to_relays), row.relay_messages);
    const auto counted = [&](NodeCounter which) { return bench.counters.get(which); };
    EXPECT_EQ(counted(NodeCounter::datagrams), std::max<std::size_t>(row.train.size(), 1));
    EXPECT_EQ(counted(NodeCounter::datagrams),
              counted(NodeCounter::to_device) + counted(NodeCounter::to_agents) + counted(NodeCounter::to_relays));
  }
}

TEST(Demultiplexer, AMessageOutOfAChannelArrivedAtOurRelayedAddress) {
  Bench bench;
  bench.split(kRelay, {on_channel(0x4001, stun_request())});
  ASSERT_EQ(bench.heard.size(), 1u);
  EXPECT_EQ(bench.heard[0], kOther.to_string() + " at " + kRelay.address.to_string());
}

TEST(Demultiplexer, EveryDatagramOutOfAChannelCounts) {
  Bench bench;
  const Packet data = on_channel(0x4000, transport());
  bench.split(kRelay, {data, data, data, data, data});
  EXPECT_EQ(bench.turn(turn::TurnCounter::channel_data), 5u);
}

TEST(Demultiplexer, DataOfAFormerRelayIsDroppedAndNeverReadAsWireGuard) {
  Bench bench;
  bench.relays.update(bench.now, std::array{std::string("relay")}, {});
  bench.carry();
  EXPECT_TRUE(bench.split(kRelay, {on_channel(0x4000, transport())}).empty());
  EXPECT_TRUE(bench.split(kRelay, {stun_request()}).empty());
  EXPECT_EQ(bench.turn(turn::TurnCounter::drop_former_relay), 2u);
  EXPECT_EQ(bench.counters.get(NodeCounter::to_relays), 2u);
}

}  // namespace
}  // namespace fireline::node
