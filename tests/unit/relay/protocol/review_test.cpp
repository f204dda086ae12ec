// One request may change the end of 4,096 channels. The host hears of it a few at a time, each with the end that holds.
#include <gtest/gtest.h>

#include <algorithm>

#include "relay/protocol/registry.h"
#include "tests/unit/relay/protocol/relay_fixture.h"

namespace fireline::relay {
namespace {

constexpr std::uint16_t kFirst = 0x4000;
constexpr unsigned kChannels = 4096;
// What one call may ask of the host, and what a second may: 64 at once, then one each 100 µs.
constexpr std::size_t kAtOnce = 64;
constexpr std::size_t kPerSecond = 10'000;

std::string port_of_one_address(unsigned i) {
  return "192.0.2.1:" + std::to_string(1 + i);
}
std::string address_of_its_own(unsigned i) {
  return "192.0." + std::to_string(2 + i / 256) + '.' + std::to_string(i % 256) + ":1";
}

// An allocation for an hour with all its channels bound, or some.
struct Crowded : Relay {
  using Peer = std::string (*)(unsigned);

  explicit Crowded(ServerConfig config, std::string_view user, std::string_view password, std::string_view realm,
                   unsigned channels = kChannels, Peer peer_of = port_of_one_address)
      : Relay(std::move(config)), client(*this, "198.51.100.7:51820", user, password, realm), peer(peer_of) {
    EXPECT_EQ(client.allocate([](stun::MessageWriter& writer) { writer.add_u32(stun::Attribute::lifetime, 3600); }), 0);
    for (unsigned i = 0; i < channels; ++i) EXPECT_EQ(bind(i), 0);
    settle();
  }
  explicit Crowded(unsigned channels = kChannels, Peer peer_of = port_of_one_address)
      : Crowded(firezone_config(), kUsername, kPassword, "firezone", channels, peer_of) {}

  Code bind(unsigned i) { return client.bind(static_cast<std::uint16_t>(kFirst + i), peer(i)); }

  // Time passes as the server asks for it. How long it took until nothing was left but deadlines far away.
  Duration settle() {
    const Instant began = now.boot;
    for (auto next = server.poll_timeout(); next && *next - now.boot < 1s; next = server.poll_timeout()) {
      advance(std::max(*next - now.boot, Duration(0)));
    }
    return now.boot - began;
  }
  // Since the last call.
  std::size_t told() {
    const auto count = std::ranges::count_if(host.effects, [](const std::string& effect) {
      return effect.starts_with("prolong") || effect.starts_with("offload");
    });
    host.effects.clear();
    return static_cast<std::size_t>(count);
  }
  void expect_all_end_in(Duration from_now) {
    ASSERT_EQ(host.entries.size(), kChannels);
    for (const auto& [key, binding] : host.entries) ASSERT_EQ(binding.expires - now.boot, from_now) << key.second;
  }
  Client client;
  Peer peer;
};

TEST(Review, ARefreshTellsTheHostAFewAtATimeAndOfAllInTheEnd) {
  Crowded relay;
  for (const std::uint32_t seconds : {500u, 400u, 550u}) {
    SCOPED_TRACE(seconds);
    static_cast<void>(relay.told());
    ASSERT_EQ(relay.client.refresh(seconds), 0);
    EXPECT_LE(relay.told(), kAtOnce);
    const Duration took = relay.settle();
    EXPECT_LT(took, 500ms);
    EXPECT_GT(relay.told(), kChannels - kAtOnce - 1);
    relay.expect_all_end_in(std::chrono::seconds(seconds) - took);
  }
  relay.expect_consistent();
}

TEST(Review, RefreshesWithoutEndCostNoMore) {
  Crowded relay;
  static_cast<void>(relay.told());
  for (std::uint32_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(relay.client.refresh(500 + i % 2), 0);
    relay.advance(1ms);
  }
  EXPECT_LE(relay.told(), kPerSecond + kAtOnce);
  // None was starved by it: each was told at least once.
  EXPECT_TRUE(std::ranges::all_of(relay.host.entries,
                                  [&](const auto& entry) { return entry.second.expires <= relay.now.boot + 501s; }));
}

TEST(Review, AnotherClientsChannelsDoNotWaitForTheCrowd) {
  Crowded relay;
  const std::string name = "4102444800:other";
  Client other(relay, "198.51.100.8:1", name, FirezoneCredentials(kSecret).password(name)->view());
  ASSERT_EQ(other.allocate(), 0);
  ASSERT_EQ(other.bind(kFirst, "192.0.2.9:1"), 0);
  ASSERT_EQ(relay.client.refresh(500), 0);
  ASSERT_EQ(other.refresh(300), 0);
  relay.advance(10ms);
  EXPECT_EQ(relay.host.entries.at({"198.51.100.8:1", kFirst}).expires, relay.now.boot + 300s - 10ms);
}

TEST(Review, APermissionOfManyChannelsIsRefreshedAFewAtATime) {
  Crowded relay(static_config(), "a", "pa", "example.org");
  relay.advance(10s);
  static_cast<void>(relay.told());
  ASSERT_EQ(relay.client.permit({"192.0.2.1:0"}), 0);
  EXPECT_LE(relay.told(), kAtOnce);
  const Duration took = relay.settle();
  relay.expect_all_end_in(300s - took);
  relay.advance(300s - took);
  EXPECT_TRUE(relay.host.entries.empty()) << "none outlives its permission";

  static_cast<void>(relay.told());
  ASSERT_EQ(relay.client.permit({"192.0.2.1:0"}), 0);
  EXPECT_LE(relay.told(), kAtOnce) << "it comes back: user space forwards those that wait";
  EXPECT_NE(relay.client.to_peer(kFirst, "x"), "dropped");
  EXPECT_NE(relay.client.to_peer(kFirst + kChannels - 1, "x"), "dropped");
  relay.settle();
  EXPECT_EQ(relay.host.entries.size(), kChannels);
  relay.expect_consistent();
}

// Channels are looked at from the newest to the oldest: the next one goes, and the others are still told of.
TEST(Review, GoesOnBehindAChannelThatIsTakenAway) {
  Crowded relay(kChannels, address_of_its_own);
  static_cast<void>(relay.told());
  ASSERT_EQ(relay.client.refresh(500), 0);
  const std::size_t reviewed = relay.told();
  ASSERT_GT(reviewed, 0u);
  const auto next = static_cast<unsigned>(kChannels - 1 - reviewed);
  const Endpoint gone = at(address_of_its_own(next));
  relay.server.set_peer_rules({.deny = {Prefix::make(gone.address, 32).value()}});
  const Duration took = relay.settle();
  ASSERT_EQ(relay.host.entries.size(), kChannels - 1);
  EXPECT_FALSE(relay.host.entries.contains({"198.51.100.7:51820", static_cast<std::uint16_t>(kFirst + next)}));
  for (const auto& [key, binding] : relay.host.entries) {
    ASSERT_EQ(binding.expires - relay.now.boot, 500s - took) << key.second;
  }
  relay.expect_consistent();
}

// The second Refresh meets the review of the first, so that the next one begins in the middle of the channels.
TEST(Review, LeavesOutNoneForAChannelBoundMeanwhile) {
  constexpr unsigned kSome = 300;
  Crowded relay(kSome);
  ASSERT_EQ(relay.client.refresh(), 0);
  relay.advance(1ms);
  ASSERT_EQ(relay.client.refresh(), 0);
  relay.settle();
  ASSERT_EQ(relay.client.refresh(500), 0);
  const Instant end = relay.now.boot + 500s;
  for (unsigned i = kSome; i < kSome + 3; ++i) {
    relay.advance(1ms);
    ASSERT_EQ(relay.bind(i), 0);
  }
  relay.settle();
  ASSERT_EQ(relay.host.entries.size(), kSome + 3);
  for (const auto& [key, binding] : relay.host.entries) EXPECT_EQ(binding.expires, end) << key.second;
  relay.expect_consistent();
}

TEST(Review, EndsWithTheAllocation) {
  Crowded relay;
  ASSERT_EQ(relay.client.refresh(500), 0);
  ASSERT_EQ(relay.client.refresh(0), 0);
  EXPECT_TRUE(relay.host.entries.empty());
  EXPECT_EQ(relay.server.poll_timeout(), std::nullopt);
  relay.expect_consistent();
}

}  // namespace
}  // namespace fireline::relay
