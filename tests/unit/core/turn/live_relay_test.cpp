// The client against our own relay's protocol engine, with its rules about nonces, cool-down, equal user names and
// expired credentials, over half an hour of virtual time. Datagrams arrive at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>

#include "core/turn/relay_set.h"
#include "relay/protocol/server.h"
#include "tests/unit/core/turn/turn_fixture.h"

namespace fireline::turn {
namespace {
using ::testing::ElementsAre;

constexpr std::string_view kRelaySecret = "4c98bf59c99b3e467ecd7cf9d6b3e5279645fca59be67bc5bb4af3cf653761ab";
constexpr std::string_view kRelayUser = "1892160000:n23JJ2wKKtt30oXi";

Credentials credentials_for(std::string_view secret) {
  return {kRelayUser, relay::FirezoneCredentials(secret).password(kRelayUser)->view()};
}

relay::ServerConfig configuration(std::string_view secret, std::uint32_t nonce_uses) {
  relay::ServerConfig config{.public_ip4 = kServer4.address,
                             .public_ip6 = kServer6.address,
                             .credentials = relay::FirezoneCredentials(secret),
                             .peers = {},
                             .limits = {}};
  config.limits.nonce_uses = nonce_uses;
  return config;
}

class World final : public relay::Host {
 public:
  explicit World(RelayAddresses addresses = both_servers(), std::uint32_t nonce_uses = 10000)
      : server(std::make_unique<relay::Server>(configuration(kRelaySecret, nonce_uses), *this, server_random)),
        addresses_(addresses) {
    restart_client();
  }

  void restart_client() {
    client = std::make_unique<Allocation>(now, addresses_, credentials_for(kRelaySecret), AllocationOptions{},
                                          client_random, counters);
    settle();
  }
  void restart_relay(std::string_view secret) {
    server = std::make_unique<relay::Server>(configuration(secret, 10000), *this, server_random);
  }

  // Carries datagrams until both sides are silent.
  void settle() {
    std::array<std::byte, kMaxRequestBytes> out;
    for (;;) {
      while (const auto event = client->poll_event()) events.push_back(*event);
      if (const auto transmit = client->poll_transmit(out)) {
        const ConstBytes bytes = ConstBytes(out).first(transmit->bytes);
        ++requests[stun::MessageView::parse(bytes)->method()];
        if (!relay_is_down) server->handle_control(now, seen_from(transmit->destination), bytes);
      } else if (!answers_.empty()) {
        const auto [to, bytes] = answers_.front();
        answers_.pop_front();
        const bool v4 = to.address.is_v4();
        client->handle_response(now, v4 ? kServer4 : kServer6, v4 ? kLocal4 : kLocal6, bytes);
      } else {
        return;
      }
    }
  }
  void advance(Duration by) {
    const Instant end = now.boot + by;
    for (;;) {
      const auto next =
          std::min(client->poll_timeout().value_or(Instant::max()), server->poll_timeout().value_or(Instant::max()));
      if (next > end) break;
      ASSERT_GE(next, now.boot);
      step_to(next);
      server->handle_timeout(now);
      client->handle_timeout(now);
      settle();
      const auto after = client->poll_timeout();
      ASSERT_TRUE(!after || *after > next) << "a timer is repeated without progress";
    }
    step_to(end);
  }

  // A packet through the channel to the peer and its answer back; what failed is named.
  [[nodiscard]] std::string exchange(const Endpoint& peer) {
    const auto number = client->channel_for(now, peer);
    settle();
    if (!number) return "no channel";
    std::vector<std::byte> datagram(4 + 32);
    stun::write_channel_header(datagram, *number, 32);
    const auto forwarded = server->from_client(seen_from(client->server().value()), datagram);
    if (!forwarded) return "relay dropped it";
    if (forwarded->peer != peer) return "wrong peer";
    const auto back = server->from_peer(forwarded->port, peer, 32);
    if (!back) return "relay dropped the answer";
    stun::write_channel_header(datagram, back->channel, 32);
    const auto data = client->unwrap(now, datagram);
    if (!data) return "client dropped the answer";
    return data->peer == peer && data->local.port == forwarded->port ? "" : "wrong attribution";
  }
  [[nodiscard]] Endpoint seen_from(const Endpoint& relay_address) const {
    return relay_address.address.is_v4() ? mapped4 : kMapped6;
  }
  [[nodiscard]] DiscardReason discarded() const {
    return events.empty() || events.back().kind != EventKind::discarded ? DiscardReason::none : events.back().reason;
  }

  Now now{.boot = Instant(1000s), .wall = UnixTime(1700000000s)};
  SeededRandom client_random{1}, server_random{2};
  Counters<TurnCounter> counters;
  std::unique_ptr<relay::Server> server;
  std::unique_ptr<Allocation> client;
  std::vector<Event> events;
  std::map<Method, int> requests;
  std::vector<relay::EventKind> reports;
  Endpoint mapped4 = kMapped4;
  bool relay_is_down = false;

 private:
  Opened open_port(std::uint16_t, relay::Families) override { return Opened::done; }
  void close_port(std::uint16_t) override {}
  void send_control(const Endpoint& to, std::span<const std::byte> message) override {
    if (to == mapped4 || to == kMapped6) answers_.emplace_back(to, std::vector(message.begin(), message.end()));
  }
  void send_peer(std::uint16_t, const Endpoint&, std::span<const std::byte>) override {}
  Offload offload(const relay::ChannelBinding&) override { return Offload::not_offloaded; }
  void prolong(const relay::ChannelBinding&) override {}
  void withdraw(const relay::ChannelBinding&) override {}
  void report(const relay::Event& event) override { reports.push_back(event.kind); }

  void step_to(Instant time) {
    now.wall += time - now.boot;
    now.boot = time;
  }

  RelayAddresses addresses_;
  std::deque<std::pair<Endpoint, std::vector<std::byte>>> answers_;
};

TEST(TurnLiveRelay, AllocatesBothFamiliesOverTheFirstThatAnswers) {
  World world;
  EXPECT_EQ(world.client->state(), AllocationState::allocated);
  const AllocationStatus status = world.client->status(world.now);
  EXPECT_EQ(status.server, kServer4);
  ASSERT_TRUE(status.relayed_v4 && status.relayed_v6);
  EXPECT_EQ(status.relayed_v4->port, status.relayed_v6->port);
  EXPECT_EQ(status.relayed_v4->address, kServer4.address);
  EXPECT_EQ(world.events.size(), 6u) << "host, server-reflexive and relayed, of each family";
  EXPECT_EQ(world.requests[Method::allocate], 2) << "without NONCE, with NONCE";
}

TEST(TurnLiveRelay, HalfAnHourOfTraffic) {
  World world;
  ASSERT_EQ(world.exchange(kPeer4), "no channel") << "the first packet binds";
  ASSERT_EQ(world.exchange(kPeer6), "no channel");
  world.events.clear();
  for (int second = 0; second < 1800; ++second) {
    ASSERT_EQ(world.exchange(kPeer4), "") << second;
    ASSERT_EQ(world.exchange(kPeer6), "") << second;
    world.advance(1s);
  }
  EXPECT_TRUE(world.events.empty());
  EXPECT_EQ(world.requests[Method::refresh], 6) << "every 300 s";
  EXPECT_NEAR(world.requests[Method::channel_bind], 14, 2) << "two channels, every 300 s";
  EXPECT_EQ(world.requests[Method::allocate], 2);
  EXPECT_EQ(world.counters.get(TurnCounter::error_other), 0u);
}

TEST(TurnLiveRelay, HalfAnHourOfSilenceKeepsTheAllocation) {
  World world;
  world.advance(30min);
  EXPECT_EQ(world.client->state(), AllocationState::allocated);
  EXPECT_EQ(world.requests[Method::refresh], 6);
  EXPECT_EQ(world.requests[Method::binding], 2 + 2 * 72) << "every 25 s";
  EXPECT_EQ(world.exchange(kPeer4), "no channel");
  EXPECT_EQ(world.exchange(kPeer4), "");
}

TEST(TurnLiveRelay, AChannelIsRevivedInItsCoolDown) {
  World world;
  ASSERT_EQ(world.exchange(kPeer4), "no channel");
  ASSERT_EQ(world.exchange(kPeer6), "no channel");
  ASSERT_EQ(world.client->channel_for(world.now, kPeer4), 0x4000);
  world.advance(12min);
  EXPECT_EQ(world.exchange(kPeer4), "no channel") << "lapsed: bound again, and not pipelined";
  EXPECT_EQ(world.exchange(kPeer4), "");
  EXPECT_EQ(world.client->channel_for(world.now, kPeer4), 0x4000) << "another number would have been refused";
  EXPECT_EQ(world.counters.get(TurnCounter::error_other), 0u);
}

TEST(TurnLiveRelay, AfterCoolDownNumberAndPeerAreFree) {
  World world;
  ASSERT_EQ(world.exchange(kPeer4), "no channel");
  world.advance(15min + 1s);
  EXPECT_EQ(world.exchange(kPeer4), "no channel");
  EXPECT_EQ(world.exchange(kPeer4), "");
  EXPECT_EQ(world.client->channel_for(world.now, kPeer4), 0x4001);
  EXPECT_EQ(world.counters.get(TurnCounter::error_other), 0u);
}

TEST(TurnLiveRelay, TheSameSocketAfterARestartRemovesWhatItFinds) {
  World world;
  ASSERT_EQ(world.exchange(kPeer4), "no channel");
  world.requests.clear();
  world.restart_client();
  EXPECT_EQ(world.client->state(), AllocationState::allocated);
  EXPECT_EQ(world.requests[Method::refresh], 1) << "437, then Refresh with lifetime 0";
  EXPECT_EQ(world.requests[Method::allocate], 3);
  EXPECT_EQ(world.exchange(kPeer6), "no channel");
  EXPECT_EQ(world.exchange(kPeer6), "") << "the numbers start anew on both sides";
}

TEST(TurnLiveRelay, ANewNatBindingLosesTheAllocationAndGetsAnother) {
  World world({.v4 = kServer4, .v6 = std::nullopt});
  ASSERT_EQ(world.exchange(kPeer4), "no channel");
  const auto before = world.client->status(world.now).relayed_v4;
  world.mapped4.port = 40001;
  world.events.clear();
  world.advance(25s);  // to the next keepalive
  EXPECT_EQ(world.client->state(), AllocationState::allocated);
  EXPECT_NE(world.client->status(world.now).relayed_v4, before);
  EXPECT_EQ(world.events.front().kind, EventKind::candidate_added) << "the keepalive noticed";
  EXPECT_EQ(world.events.front().candidate.address, world.mapped4);
  EXPECT_EQ(world.exchange(kPeer4), "no channel");
  EXPECT_EQ(world.exchange(kPeer4), "");
}

TEST(TurnLiveRelay, UsedUpNoncesAreReplaced) {
  World world(both_servers(), 3);
  for (std::uint16_t port = 1; port <= 50; ++port) {
    const Endpoint peer{.address = kPeer4.address, .port = port, .scope = 0};
    ASSERT_EQ(world.exchange(peer), "no channel");
    ASSERT_EQ(world.exchange(peer), "") << port;
  }
}

TEST(TurnLiveRelay, ExpiredCredentialsEndTheAllocationWithTheNextRefresh) {
  World world;
  world.now.wall = UnixTime(1892160001s);
  world.advance(300s);
  EXPECT_EQ(world.discarded(), DiscardReason::authentication);
}

TEST(TurnLiveRelay, AWrongPasswordIsNeverAcceptedAndEndsInSilence) {
  World world;
  world.restart_relay("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  world.requests.clear();
  world.client->refresh(world.now);
  world.settle();
  world.advance(1s);
  EXPECT_EQ(world.counters.get(TurnCounter::drop_wrong_integrity), 1u) << "signed with a key that is not ours";
  EXPECT_EQ(world.discarded(), DiscardReason::lost);
  world.advance(30min);
  EXPECT_EQ(world.requests[Method::refresh], 1);
  EXPECT_EQ(world.requests[Method::allocate], 0) << "never retried";
}

TEST(TurnLiveRelay, ARelayThatLostItsStateIsResynchronised) {
  World world;
  ASSERT_EQ(world.exchange(kPeer4), "no channel");
  world.restart_relay(kRelaySecret);
  world.client->refresh(world.now);
  world.settle();
  EXPECT_EQ(world.client->state(), AllocationState::allocated);
  EXPECT_EQ(world.exchange(kPeer4), "no channel");
  EXPECT_EQ(world.exchange(kPeer4), "");
}

TEST(TurnLiveRelay, ADeadRelayIsNoticedInTime) {
  World world({.v4 = kServer4, .v6 = std::nullopt});
  world.relay_is_down = true;
  world.advance(33125ms - 1ns);
  EXPECT_EQ(world.discarded(), DiscardReason::none);
  world.advance(1ns);
  EXPECT_EQ(world.discarded(), DiscardReason::lost);
}

}  // namespace
}  // namespace fireline::turn
