#include "tests/sim/portal.h"

#include <algorithm>
#include <array>

#include "core/crypto/x25519.h"
#include "core/ice/candidate_text.h"
#include "tests/sim/violation.h"

namespace fireline::sim {
namespace {

using namespace std::chrono_literals;

// After this long without any disturbance a mapping that lives is one that the relays report.
constexpr Duration kCalmForCandidates = 60s;

std::uint64_t digest(const crypto::PublicKey& a, const crypto::PublicKey& b) {
  return load_le64(a.bytes, 0) * 3 + load_le64(b.bytes, 0) * 5 + 1;
}

std::string letters(Dice& dice, std::size_t count) {
  static constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += kAlphabet[dice.below(kAlphabet.size())];
  return text;
}

// Both sides' credentials follow from both keys, so that they change when a key does.
std::array<ice::Credentials, 2> credentials(const crypto::PublicKey& client, const crypto::PublicKey& gateway) {
  Dice dice(digest(client, gateway), "ice");
  const auto draw = [&] {
    const std::string ufrag = letters(dice, 4);
    return *ice::Credentials::make(ufrag, letters(dice, 22));
  };
  const ice::Credentials first = draw();
  return {first, draw()};
}

bool is_same(const node::ConnectionParameters& a, const node::ConnectionParameters& b) {
  return a.id == b.id && a.peer_key == b.peer_key && a.preshared_key == b.preshared_key && a.local == b.local &&
         a.remote == b.remote;
}

}  // namespace

std::size_t Portal::add_node(SimNode& node, const Prefix& inner) {
  Member member;
  member.node = &node;
  member.id = node.name();
  member.inner = inner;
  members_.push_back(std::move(member));
  return members_.size() - 1;
}

void Portal::log_in(std::size_t index, const crypto::Key& private_key) {
  listed_.resize(relays_.size(), true);
  Member& member = members_[index];
  log_out(index);
  member.key = crypto::public_key(private_key);
  member.online = true;
  ask_for_relays(index);
}

void Portal::log_out(std::size_t index) {
  Member& member = members_[index];
  ++member.session;
  member.online = false;
  member.asked_for_relays = false;
  member.connections.clear();
  member.intents.clear();
}

void Portal::reconnect(std::size_t index) {
  Member& member = members_[index];
  ++member.session;
  member.asked_for_relays = false;
  member.intents.clear();
  ask_for_relays(index);
}

void Portal::authorize(std::size_t client, std::size_t gateway) {
  Member& asking = members_[client];
  if (!asking.online) return;
  const auto [intent, fresh] = asking.intents.try_emplace(gateway, queue_.now());
  if (!fresh && queue_.now() < intent->second + kIntentInterval) return;
  intent->second = queue_.now();
  post(client, gateway, [this, client, gateway, session = asking.session] {
    if (members_[client].session != session) return;  // its key is not what the portal would hand out
    holding_ = true;
    const node::UpsertOutcome outcome = upsert(gateway, client);
    holding_ = false;
    const auto held = std::exchange(held_, {});
    if (outcome == node::UpsertOutcome::no_relays) return ask_for_relays(gateway);
    post(gateway, client, [this, client, gateway, key = members_[gateway].key] {
      if (members_[gateway].key != key) return;
      if (upsert(client, gateway) == node::UpsertOutcome::no_relays) ask_for_relays(client);
    });
    for (const auto& message : held) message();
  });
}

void Portal::change_psk(std::size_t client, std::size_t gateway) {
  ++psks_[{client, gateway}];
  members_[client].intents.erase(gateway);
  authorize(client, gateway);
}

void Portal::handle_event(std::size_t index, const node::NodeEvent& event) {
  using Kind = node::NodeEvent::Kind;
  Member& member = members_[index];
  if (event.kind == Kind::no_relays_left) return ask_for_relays(index);
  const std::size_t peer = find(event.connection);
  if (event.kind == Kind::failed || event.kind == Kind::closed) {
    member.connections.erase(peer);
    return;
  }
  const bool gathered = event.kind == Kind::candidates_gathered;
  if (!gathered && event.kind != Kind::candidates_invalidated) return;
  if (!gathered) check_withdrawn(member, event.candidates);
  if (!member.online) return;
  auto message = [this, index, peer, gathered, candidates = event.candidates] {
    post(index, peer, [this, index, peer, gathered, candidates] {
      SimNode& node = *members_[peer].node;
      const std::string& id = members_[index].id;
      gathered ? node.add_remote_candidates(id, candidates) : node.invalidate_remote_candidates(id, candidates);
    });
  };
  if (holding_) return held_.push_back(std::move(message));
  message();
}

void Portal::relay_lost(std::size_t relay) {
  if (!listed_[relay]) return;
  listed_[relay] = false;
  for (std::size_t node = 0; node < members_.size(); ++node) {
    if (members_[node].online) send_relays(node, {relays_[relay]->id()});
  }
}

void Portal::relay_joined(std::size_t relay) {
  listed_[relay] = true;
  for (std::size_t node = 0; node < members_.size(); ++node) {
    if (members_[node].online) send_relays(node, {});
  }
}

bool Portal::is_connected(std::size_t node, std::size_t peer) const {
  return members_[node].connections.contains(peer);
}

bool Portal::agree(std::size_t client, std::size_t gateway) const {
  const auto a = members_[client].connections.find(gateway);
  const auto b = members_[gateway].connections.find(client);
  return a != members_[client].connections.end() && b != members_[gateway].connections.end() &&
         a->second.local == b->second.remote && a->second.remote == b->second.local &&
         a->second.preshared_key == b->second.preshared_key;
}

Duration Portal::delay() {
  const Duration usual = dice_.between(Duration(10ms), Duration(120ms));
  return queue_.now() < slow_until_ ? slow_until_ - queue_.now() + usual : usual;
}

void Portal::post(std::size_t from, std::size_t to, std::function<void()> message) {
  Instant& last = lanes_[{from, to}];
  last = std::max(last, queue_.now() + delay());
  queue_.at(last, [this, to, session = members_[to].session, message = std::move(message)] {
    const Member& member = members_[to];
    if (member.session == session && member.online && member.node->is_running() && !member.node->is_suspended()) {
      message();
    }
  });
}

node::ConnectionParameters Portal::parameters(std::size_t own, std::size_t peer) const {
  const auto [client, gateway] = pair_of(own, peer);
  const auto both = credentials(members_[client].key, members_[gateway].key);
  const auto generation = psks_.find({client, gateway});
  Dice psk(
      digest(members_[client].key, members_[gateway].key) + (generation == psks_.end() ? 0 : generation->second * 1000),
      "psk");
  return {.id = members_[peer].id,
          .peer_key = members_[peer].key,
          .preshared_key = psk.key(),
          .local = both[own == client ? 0 : 1],
          .remote = both[own == client ? 1 : 0],
          .allowed_ips = {members_[peer].inner}};
}

node::UpsertOutcome Portal::upsert(std::size_t index, std::size_t peer) {
  Member& member = members_[index];
  const node::ConnectionParameters wanted = parameters(index, peer);
  const auto known = member.connections.find(peer);
  using enum node::UpsertOutcome;
  const auto expected = known == member.connections.end() ? created
                        : is_same(known->second, wanted)  ? reused
                                                          : replaced;
  const auto outcome = member.node->upsert(wanted);
  member.intents.erase(peer);
  if (outcome == no_relays || outcome == full) return outcome;
  if (outcome != expected) {
    throw Violation{"identity",
                    member.id + ": an upsert of " + members_[peer].id + " answers " +
                        std::to_string(static_cast<int>(outcome)) + " instead of " +
                        std::to_string(static_cast<int>(expected)),
                    queue_.now()};
  }
  member.connections.insert_or_assign(peer, wanted);
  return outcome;
}

void Portal::ask_for_relays(std::size_t index) {
  Member& member = members_[index];
  if (member.asked_for_relays || !member.online) return;
  member.asked_for_relays = true;
  queue_.after(delay() + 200ms, [this, index, session = member.session] {
    Member& asking = members_[index];
    if (asking.session != session) return;
    asking.asked_for_relays = false;
    if (std::ranges::none_of(listed_, std::identity())) {
      asking.asked_for_relays = true;
      queue_.after(2s, [this, index, session] {
        if (members_[index].session != session) return;
        members_[index].asked_for_relays = false;
        ask_for_relays(index);
      });
      return;
    }
    send_relays(index, {});
  });
}

void Portal::send_relays(std::size_t index, const std::vector<std::string>& removed) {
  to_node(index, [this, index, removed] {
    on_change_();
    members_[index].node->update_relays(removed, relay_list(index));
  });
}

std::vector<turn::RelayEntry> Portal::relay_list(std::size_t index) const {
  const std::string name = members_[index].key.to_hex().substr(0, 16);
  std::vector<turn::RelayEntry> list;
  for (std::size_t i = 0; i < relays_.size(); ++i) {
    if (!listed_[i]) continue;
    for (auto& entry : relays_[i]->entries_for(name)) list.push_back(std::move(entry));
  }
  return list;
}

std::size_t Portal::find(const std::string& id) const {
  return static_cast<std::size_t>(std::ranges::find(members_, id, &Member::id) - members_.begin());
}

void Portal::check_withdrawn(const Member& member, const std::vector<std::string>& candidates) const {
  if (queue_.now() < calm_since_ + kCalmForCandidates) return;
  for (const std::string& text : candidates) {
    const auto parsed = ice::CandidateText::parse(text);
    if (!parsed || parsed->candidate.kind != ice::CandidateKind::server_reflexive) continue;
    const Endpoint& outside = parsed->candidate.address;
    const auto own = network_.address(member.node->host(), outside.address.family());
    if (!own || !network_.is_mapped(member.node->host(), outside, {*own, kNodePort})) continue;
    throw Violation{"candidates",
                    member.id + " withdraws " + outside.to_string() + ", under which it can still be reached",
                    queue_.now()};
  }
}

std::pair<std::size_t, std::size_t> Portal::pair_of(std::size_t a, std::size_t b) const {
  return members_[a].node->role() == node::NodeRole::client ? std::pair{a, b} : std::pair{b, a};
}

}  // namespace fireline::sim
