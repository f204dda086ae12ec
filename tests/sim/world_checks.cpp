// The traffic of a world, and what must become of it.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace fireline::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration kSameDemand = 15s;
constexpr Duration kRelayChoiceMax = 2500ms;
constexpr Duration kKindSettles = 30s;

}  // namespace

void World::tick(std::size_t index, const Talk& talk, Instant end) {
  Pair& pair = pairs_[index];
  const Instant now = queue_.now();
  if (!pair.wanted_since || now > pair.last_tick + talk.interval + kSameDemand) {
    pair.wanted_since = now;
    pair.recovering_since.reset();
  }
  pair.last_tick = now;
  const SimNode& client = *nodes_[pair.client];
  if (client.is_running() && !client.is_suspended()) {
    if (!pair.recovering_since && now >= calm_since_) {
      pair.recovering_since = std::max(calm_since_, *pair.wanted_since);
      pair.up_seen = pair.up.delivered();
      pair.down_seen = pair.down.delivered();
    }
    if (!portal_.is_connected(pair.client, pair.gateway)) portal_.authorize(pair.client, pair.gateway);
    if (talk.up || !portal_.agree(pair.client, pair.gateway)) send(pair, true, talk);
    if (talk.down) send(pair, false, talk);
    check_connected(pair);
    check_kind(pair);
  }
  if (now + talk.interval < end) {
    queue_.after(talk.interval, [this, index, &talk, end] { tick(index, talk, end); });
  }
}

void World::send(Pair& pair, bool up, const Talk& talk) {
  const std::size_t from = up ? pair.client : pair.gateway;
  const std::size_t to = up ? pair.gateway : pair.client;
  if (!nodes_[from]->is_running() || !portal_.is_connected(from, to)) return;
  InnerFlow& flow = up ? pair.up : pair.down;
  const bool due = must_arrive(pair);
  std::vector<std::vector<std::byte>> packets;
  for (std::size_t i = 0; i < talk.batch; ++i) {
    if (due) expect_arrival(static_cast<std::size_t>(&pair - pairs_.data()), up, flow.sent());
    packets.push_back(flow.make(queue_.now(), talk.bytes));
  }
  nodes_[from]->send_packets(portal_.id(to), packets);
}

void World::expect_arrival(std::size_t index, bool up, std::uint64_t number) {
  queue_.after(kDeliveryMax, [this, index, up, number, sent = queue_.now()] {
    if (calm_since_ > sent) return;
    const InnerFlow& flow = up ? pairs_[index].up : pairs_[index].down;
    if (!flow.arrived(number)) {
      fail("loss", "packet " + std::to_string(number) + " of flow " + std::to_string(flow.id()) + " (" +
                       nodes_[pairs_[index].client]->name() + (up ? " to " : " from ") +
                       nodes_[pairs_[index].gateway]->name() + ") was sent " +
                       std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(kDeliveryMax).count()) +
                       " ms ago and did not arrive");
    }
    ++statistics_.payloads_due;
  });
}

bool World::may_be_direct(const Pair& pair) const {
  const SiteSpec& a = scenario_.sites[place_of_[pair.client]];
  const SiteSpec& b = scenario_.sites[place_of_[pair.gateway]];
  return a.nat4 && b.nat4 && is_direct_by_luck(a.nat4, b.nat4);
}

// Where neither NATs nor relays allow a path any more, packets wait for one: a connection without a nominated pair is
// not "disconnected", and does not fail, as long as some pair is possible (connectivity spec 2.8). Behind two NATs that
// map every port anew one always is, for each check of one leads to the discovery of another one. A direct path that
// was there before the relays went must go on.
bool World::must_arrive(const Pair& pair) const {
  const Instant now = queue_.now();
  if (!is_lossless() || now < calm_since_ + kRecoveryMax || !portal_.agree(pair.client, pair.gateway)) return false;
  if (now < *pair.wanted_since + kRecoveryMax && now < calm_since_ + kIdleRecoveryMax) return false;
  for (const auto& [node, peer] : {std::pair(pair.client, pair.gateway), std::pair(pair.gateway, pair.client)}) {
    const auto status = nodes_[node]->connection(portal_.id(peer));
    if (!status || !status->path || now < status->created + kRecoveryMax) return false;
    if (status->path_suspended && expected(pair) == Connectivity::none) return false;
  }
  return true;
}

void World::watch() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    SimNode& node = *nodes_[i];
    node.check_at_rest();
    if (node.is_running() && !node.is_suspended()) check_relays(node, i);
  }
  for (const auto& relay : relays_) {
    if (const auto& premature = relay->sent_on_lapsed_channel()) fail("channel", *premature);
  }
  if (!network_.is_balanced()) fail("ledger", "datagrams of the network are not accounted for");
  queue_.after(1s, [this] { watch(); });
}

bool World::is_lossless() const {
  return std::ranges::none_of(scenario_.sites,
                              [](const SiteSpec& site) { return site.up.loses() || site.down.loses(); });
}

Connectivity World::expected(const Pair& pair) const {
  const SiteSpec& a = scenario_.sites[place_of_[pair.client]];
  const SiteSpec& b = scenario_.sites[place_of_[pair.gateway]];
  std::vector<RelayFamilies> running;
  for (const auto& relay : relays_) {
    if (relay->is_running()) running.push_back({relay->has(Family::v4), relay->has(Family::v6)});
  }
  if (network_.are_parted(place_of_[pair.client], place_of_[pair.gateway])) {
    const bool possible = is_relayed_possible(a.surroundings(), b.surroundings(), running);
    return possible ? Connectivity::relayed : Connectivity::none;
  }
  return expected_connectivity(a.surroundings(), b.surroundings(), place_of_[pair.client] == place_of_[pair.gateway],
                               running);
}

void World::check_connected(Pair& pair) {
  const Instant now = queue_.now();
  const Duration limit = is_lossless() ? kRecoveryMax : 2 * kRecoveryMax;
  if (now < calm_since_ + limit || now < *pair.wanted_since + limit) return;
  if (expected(pair) == Connectivity::none || !nodes_[pair.gateway]->is_running()) return;
  const auto last = std::max(pair.up.last_delivery(), pair.down.last_delivery());
  const Duration window = limit / 2;
  if (last && now < *last + window) return;
  fail("connection", nodes_[pair.client]->name() + " and " + nodes_[pair.gateway]->name() +
                         " can connect, want to for long enough, and exchange nothing");
}

// Nothing changed since the connection was made: its path is the best that there is.
void World::check_kind(const Pair& pair) const {
  const Instant now = queue_.now();
  if (!is_lossless() || !portal_.agree(pair.client, pair.gateway)) return;
  const auto a = nodes_[pair.client]->connection(portal_.id(pair.gateway));
  const auto b = nodes_[pair.gateway]->connection(portal_.id(pair.client));
  if (!a || !b || !a->path || !b->path) return;
  const Instant created = std::max(a->created, b->created);
  if (std::min(a->created, b->created) <= calm_since_ || now < created + kKindSettles) return;
  const Connectivity best = expected(pair);
  for (const auto* path : {&*a->path, &*b->path}) {
    const bool relayed = path->kind == node::PathKind::relayed;
    if (best == Connectivity::direct && relayed) {
      fail("path kind", "a direct path is possible, and " + path->source.to_string() + " to " +
                            path->destination.to_string() + " is relayed");
    }
    if (best == Connectivity::relayed && !relayed && !may_be_direct(pair)) {
      fail("path kind", "no direct path is possible, but " + path->source.to_string() + " to " +
                            path->destination.to_string() + " is one");
    }
  }
}

void World::check_dead_path(const Train& train, Duration dead) const {
  const auto sender = std::ranges::find(nodes_, train.origin, [](const auto& node) { return node->host(); });
  if (sender == nodes_.end() || (*sender)->role() != node::NodeRole::client) return;
  const Duration awake = queue_.now() - awake_since_[index_of(**sender)];
  if (std::min(dead, awake) < kDeadPathMax) return;
  const ConstBytes message = train.datagram(0);
  const bool is_wireguard = message.size() >= 32 && load_le32(message, 0) >= 1 && load_le32(message, 0) <= 4;
  if (!is_wireguard) return;
  fail("dead path", (*sender)->name() + " sends data to " + train.origin_destination.to_string() +
                        ", which has been out of reach for " +
                        std::to_string(std::chrono::duration_cast<std::chrono::seconds>(dead).count()) + " s");
}

void World::check_relays(SimNode& node, std::size_t index) {
  const auto relays = node.node().relays(now_at(queue_.now()));
  bool missing = false;
  for (const auto& connection : node.node().status()) {
    const bool chosen = std::ranges::any_of(relays, [&](const auto& relay) { return relay.id == connection.relay; });
    missing |= !relays.empty() && !chosen;
  }
  Instant& since = without_relay_since_[index];
  since = missing ? std::min(since, queue_.now()) : Instant::max();
  if (missing && queue_.now() > since + kRelayChoiceMax) {
    fail("relay choice", node.name() + " has relays, and a connection without one");
  }
}

void World::note_recovery(Pair& pair) {
  if (!pair.recovering_since || queue_.now() < *pair.recovering_since) return;
  if (pair.up.delivered() + pair.down.delivered() == pair.up_seen + pair.down_seen) return;
  statistics_.longest_recovery = std::max(statistics_.longest_recovery, queue_.now() - *pair.recovering_since);
  pair.recovering_since = Instant::max();
}

}  // namespace fireline::sim
