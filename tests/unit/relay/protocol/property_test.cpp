// Random interleavings of requests, data and time against a model that knows the rules and nothing of the tables.
// After every step: what is forwarded is what the model says, each bound channel has one entry with the host, nothing
// refers to a dead allocation, and the counters add up. A failure prints its seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "relay/protocol/registry.h"
#include "tests/unit/relay/protocol/relay_fixture.h"

namespace fireline::relay {
namespace {

constexpr int kClients = 4;
constexpr int kPeers = 5;
constexpr int kNumbers = 4;

std::string peer_of(int number) {
  // Two ports of one address, so that permissions and channels differ.
  return number < 2 ? "192.0.2.1:" + std::to_string(1000 + number) : "192.0.2." + std::to_string(number) + ":1000";
}
IpAddress address_of(int peer) {
  return at(peer_of(peer)).address;
}

IpAddress peer_address(int last) {
  return *IpAddress::parse("192.0.2." + std::to_string(last));
}

struct ModelAllocation {
  Instant expires;
  std::uint16_t port = 0;
  std::map<int, std::pair<int, Instant>> channels;  // number → peer, end of the binding
  std::map<IpAddress, Instant> permissions;
};

// The rules of the relay specification section 1.8, and of RFC 8656 for permissions, in the plainest form.
struct Model {
  explicit Model(bool with_permissions) : permissions(with_permissions) {}

  void expire(Instant now) {
    std::erase_if(allocations, [&](const auto& entry) { return entry.second.expires <= now; });
    for (auto& [client, allocation] : allocations) {
      std::erase_if(allocation.channels, [&](const auto& entry) { return entry.second.second + 300s <= now; });
      std::erase_if(allocation.permissions, [&](const auto& entry) { return entry.second <= now; });
    }
  }
  Code bind(Instant now, int client, int number, int peer) {
    const auto found = allocations.find(client);
    if (found == allocations.end()) return 437;
    auto& channels = found->second.channels;
    for (const auto& [other, binding] : channels) {
      if ((other == number) != (binding.first == peer)) return 400;
    }
    channels[number] = {peer, now + 600s};
    if (permissions) found->second.permissions[address_of(peer)] = now + 300s;
    return 0;
  }
  Code permit(Instant now, int client, int peer) {
    if (!permissions) return 0;
    const auto found = allocations.find(client);
    if (found == allocations.end()) return 437;
    found->second.permissions[address_of(peer)] = now + 300s;
    return 0;
  }
  bool forwards(Instant now, int client, int number) const {
    const auto found = allocations.find(client);
    if (found == allocations.end()) return false;
    const auto channel = found->second.channels.find(number);
    if (channel == found->second.channels.end() || channel->second.second <= now) return false;
    return !permissions || found->second.permissions.contains(address_of(channel->second.first));
  }
  // -1: dropped, 0: an indication, else the channel.
  int from_peer(Instant now, int client, int peer) const {
    const auto found = allocations.find(client);
    if (found == allocations.end()) return -1;
    const bool permitted = found->second.permissions.contains(address_of(peer));
    for (const auto& [number, binding] : found->second.channels) {
      if (binding.first == peer && binding.second > now) return permissions && !permitted ? -1 : 0x4000 + number;
    }
    return permitted ? 0 : -1;
  }
  std::size_t bound(Instant now) const {
    std::size_t count = 0;
    for (const auto& [client, allocation] : allocations) {
      for (const auto& [number, binding] : allocation.channels) count += binding.second > now ? 1u : 0u;
    }
    return count;
  }

  bool permissions;
  std::map<int, ModelAllocation> allocations;
};

std::vector<Client> make_clients(Relay& relay, bool is_static) {
  std::vector<Client> clients;
  for (int i = 0; i < kClients; ++i) {
    const std::string socket = "198.51.100.7:" + std::to_string(2000 + i);
    const std::string name = "4102444800:client-" + std::to_string(i);
    if (is_static) {
      clients.emplace_back(relay, socket, i % 2 == 0 ? "a" : "b", i % 2 == 0 ? "pa" : "pb", "example.org");
    } else {
      clients.emplace_back(relay, socket, name, FirezoneCredentials(kSecret).password(name)->view());
    }
  }
  return clients;
}

void compare(Relay& relay, std::vector<Client>& clients, const Model& model) {
  const Instant now = relay.now.boot;
  relay.expect_consistent();
  EXPECT_EQ(relay.server.gauges().allocations, model.allocations.size());
  EXPECT_EQ(relay.server.gauges().bound_channels, model.bound(now));
  std::size_t entries = 0;
  for (int i = 0; i < kClients; ++i) {
    const auto allocation = model.allocations.find(i);
    Client& client = clients[static_cast<std::size_t>(i)];
    for (int number = 0; number < kNumbers; ++number) {
      const auto channel = static_cast<std::uint16_t>(0x4000 + number);
      const bool forwards = model.forwards(now, i, number);
      EXPECT_EQ(client.to_peer(channel, "") != "dropped", forwards);
      if (!forwards) continue;
      ++entries;
      const auto entry = relay.host.entries.find({client.endpoint.to_string(), channel});
      ASSERT_NE(entry, relay.host.entries.end());
      const auto& [peer, until] = allocation->second.channels.at(number);
      EXPECT_EQ(entry->second.peer, at(peer_of(peer)));
      EXPECT_EQ(entry->second.port, allocation->second.port);
      Instant expires = std::min(until, allocation->second.expires);
      if (model.permissions) expires = std::min(expires, allocation->second.permissions.at(address_of(peer)));
      EXPECT_EQ(entry->second.expires, expires);
    }
    if (allocation == model.allocations.end()) continue;
    for (int peer = 0; peer < kPeers; ++peer) {
      const int expected = model.from_peer(now, i, peer);
      const auto way = relay.server.from_peer(allocation->second.port, at(peer_of(peer)), 0, 0);
      ASSERT_EQ(way.has_value(), expected >= 0);
      if (!way) continue;
      EXPECT_EQ(way->channel, expected);
      EXPECT_EQ(way->client, client.endpoint);
    }
  }
  EXPECT_EQ(relay.host.entries.size(), entries) << "an entry that the model does not know";
}

void run(unsigned seed, bool is_static) {
  SCOPED_TRACE("seed " + std::to_string(seed) + (is_static ? " static" : " firezone"));
  std::mt19937 random(seed);
  const auto below = [&](int bound) { return static_cast<int>(random() % static_cast<unsigned>(bound)); };
  ServerConfig config = is_static ? static_config() : firezone_config();
  config.lowest_port = 50000;
  config.highest_port = 50000 + kClients - 1;
  Relay relay(config);
  Model model(is_static);
  std::vector<Client> clients = make_clients(relay, is_static);

  for (int step = 0; step < 400 && !testing::Test::HasFailure(); ++step) {
    const int i = below(kClients);
    Client& client = clients[static_cast<std::size_t>(i)];
    // Time for what the host is told at a pace.
    relay.advance(1ms);
    model.expire(relay.now.boot);
    const Instant now = relay.now.boot;
    const auto allocation = model.allocations.find(i);
    switch (below(8)) {
      case 0: {
        const auto lifetime = static_cast<std::uint32_t>(below(3) == 0 ? 60 : 1800);
        const Code code =
            client.allocate([&](stun::MessageWriter& writer) { writer.add_u32(stun::Attribute::lifetime, lifetime); });
        ASSERT_EQ(code, allocation == model.allocations.end() ? 0 : 437);
        if (code == 0) model.allocations[i] = {now + std::chrono::seconds(lifetime), client.port(), {}, {}};
        break;
      }
      case 1: {
        const auto lifetime = static_cast<std::uint32_t>(below(4) == 0 ? 0 : below(3000));
        ASSERT_EQ(client.refresh(lifetime), allocation == model.allocations.end() ? 437 : 0);
        if (allocation == model.allocations.end()) break;
        allocation->second.expires = now + std::chrono::seconds(lifetime);
        if (lifetime == 0) model.allocations.erase(allocation);
        break;
      }
      case 2:
      case 3:
      case 4: {
        const int number = below(kNumbers);
        const int peer = below(kPeers);
        ASSERT_EQ(client.bind(static_cast<std::uint16_t>(0x4000 + number), peer_of(peer)),
                  model.bind(now, i, number, peer));
        break;
      }
      case 5: {
        const int peer = below(kPeers);
        ASSERT_EQ(client.permit({peer_of(peer)}), model.permit(now, i, peer));
        break;
      }
      default: {
        relay.advance(std::chrono::seconds(below(10) == 0 ? 1200 : below(200)));
        model.expire(relay.now.boot);
        break;
      }
    }
    ASSERT_NO_FATAL_FAILURE(compare(relay, clients, model));
  }
}

TEST(RelayProperties, HoldUnderRandomInterleavings) {
  for (unsigned seed = 1; seed <= 30 && !HasFailure(); ++seed) {
    run(seed, false);
    run(seed, true);
  }
}

TEST(Registry, EveryEntryOfItsTablesBelongsToALivingRecord) {
  std::mt19937 numbers(7);
  ScriptedRandom random;
  Registry registry(50000, 50063, random);
  std::vector<std::uint32_t> allocations;
  for (int step = 0; step < 5000; ++step) {
    const auto port = static_cast<std::uint16_t>(50000 + numbers() % 64);
    const std::uint32_t number = registry.find_allocation_of(port);
    if (number == kNoRecord) {
      const std::uint32_t fresh = registry.add_allocation({.address = *IpAddress::parse("192.0.2.9"), .port = port},
                                                          port, {.v4 = true}, "user-" + std::to_string(port % 5));
      EXPECT_EQ(registry.allocation(fresh).port, port);
    } else if (numbers() % 3 != 0) {
      const auto channel = static_cast<std::uint16_t>(0x4000 + numbers() % 8);
      const Endpoint peer{.address = peer_address(1 + channel % 2), .port = channel};
      const std::uint32_t known = registry.find_channel(port, peer);
      if (known == kNoRecord) {
        registry.set_bound(registry.channel(registry.add_channel(number, channel, peer)), true);
      } else {
        registry.remove_channel(known);
      }
      const IpAddress permitted = *IpAddress::parse(numbers() % 2 == 0 ? "192.0.2.7" : "192.0.2.8");
      const std::uint32_t permission = registry.find_permission(port, permitted);
      if (permission == kNoRecord) {
        static_cast<void>(registry.add_permission(number, permitted));
      } else {
        registry.remove_permission(permission);
      }
    } else {
      registry.for_each_channel(number, [&](std::uint32_t channel) { registry.remove_channel(channel); });
      registry.for_each_permission(number, [&](std::uint32_t other) { registry.remove_permission(other); });
      registry.remove_allocation(number);
    }
    std::size_t channels = 0;
    std::size_t permissions = 0;
    std::size_t addresses = 0;
    registry.for_each_allocation([&](std::uint32_t each) {
      const Allocation& allocation = registry.allocation(each);
      std::size_t of_address[2] = {};
      for (const int last : {1, 2}) {
        registry.for_each_channel_of(allocation.port, peer_address(last), [&](std::uint32_t channel) {
          ASSERT_EQ(registry.channel(channel).allocation, each);
          ASSERT_EQ(registry.channel(channel).peer.address, peer_address(last));
          ++of_address[last - 1];
        });
        addresses += of_address[last - 1] == 0 ? 0u : 1u;
      }
      ASSERT_EQ(of_address[0] + of_address[1], allocation.channels);
      channels += registry.allocation(each).channels;
      permissions += registry.allocation(each).permissions;
    });
    ASSERT_EQ(registry.channels(), channels);
    ASSERT_EQ(registry.bound_channels(), channels);
    ASSERT_EQ(registry.permissions(), permissions);
    ASSERT_EQ(registry.index_entries(), registry.allocations() + 2 * channels + addresses + permissions);
    ASSERT_LE(registry.users(), 5u);
  }
}

}  // namespace
}  // namespace fireline::relay
