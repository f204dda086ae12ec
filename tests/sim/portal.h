// The portal between the simulated nodes: who is logged in with which key, credentials and preshared keys of a pair,
// relay lists, and signalling. Messages between two nodes keep their order and take their time; what is on its way to
// a session that ended is lost. A flow is authorised at the gateway first, then answered to the client, then come the
// gateway's candidates.
//
// Checks on the way: what an upsert answers must follow from the parameters alone, and no node withdraws a reflexive
// candidate whose mapping lives.
// Lifetime: everything it is given must outlive it. Threads: one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/relay_host.h"
#include "tests/sim/sim_node.h"

namespace fireline::sim {

// A client asks again after this long without an answer.
inline constexpr Duration kIntentInterval = std::chrono::seconds(2);

class Portal {
 public:
  // `on_change`: relays or sessions change now, so that connections may be disturbed.
  Portal(EventQueue& queue, Network& network, Dice dice, std::function<void()> on_change)
      : queue_(queue), network_(network), dice_(dice), on_change_(std::move(on_change)) {}

  // `inner`: what the peer may send from. Returns the node's index.
  std::size_t add_node(SimNode& node, const Prefix& inner);
  void add_relay(RelayHost& relay) { relays_.push_back(&relay); }

  // A new session with that key; the relay list follows.
  void log_in(std::size_t node, const crypto::Key& private_key);
  void log_out(std::size_t node);
  // The same key in a new session: what was under way to the old one is lost, and the relay list comes again.
  void reconnect(std::size_t node);

  // The client wants the gateway.
  void authorize(std::size_t client, std::size_t gateway);
  void change_psk(std::size_t client, std::size_t gateway);
  void handle_event(std::size_t node, const node::NodeEvent& event);

  // The portal has noticed.
  void relay_lost(std::size_t relay);
  void relay_joined(std::size_t relay);

  void slow_until(Instant time) { slow_until_ = std::max(slow_until_, time); }

  // Whether the node holds a connection to the peer, as far as it told.
  [[nodiscard]] bool is_connected(std::size_t node, std::size_t peer) const;
  // Both hold one to the other, made with the same keys.
  [[nodiscard]] bool agree(std::size_t client, std::size_t gateway) const;
  [[nodiscard]] const std::string& id(std::size_t node) const { return members_[node].id; }
  // A reflexive candidate may not be withdrawn while all has been calm since then.
  void set_calm_since(Instant time) { calm_since_ = time; }

 private:
  struct Member {
    SimNode* node = nullptr;
    std::string id;
    Prefix inner;
    crypto::PublicKey key;
    std::uint64_t session = 0;
    bool online = false;
    bool asked_for_relays = false;
    std::map<std::size_t, node::ConnectionParameters> connections;  // by peer
    std::map<std::size_t, Instant> intents;                         // of a client, by gateway
  };

  [[nodiscard]] Duration delay();
  // From one node to another, in order; lost when the receiver's session ends.
  void post(std::size_t from, std::size_t to, std::function<void()> message);
  void to_node(std::size_t node, std::function<void()> message) { post(kNoHost, node, std::move(message)); }
  [[nodiscard]] node::ConnectionParameters parameters(std::size_t own, std::size_t peer) const;
  [[nodiscard]] node::UpsertOutcome upsert(std::size_t node, std::size_t peer);
  void ask_for_relays(std::size_t node);
  void send_relays(std::size_t node, const std::vector<std::string>& removed);
  [[nodiscard]] std::vector<turn::RelayEntry> relay_list(std::size_t node) const;
  [[nodiscard]] std::size_t find(const std::string& id) const;
  void check_withdrawn(const Member& member, const std::vector<std::string>& candidates) const;
  [[nodiscard]] std::pair<std::size_t, std::size_t> pair_of(std::size_t a, std::size_t b) const;

  EventQueue& queue_;
  Network& network_;
  Dice dice_;
  std::function<void()> on_change_;
  std::vector<Member> members_;
  std::vector<RelayHost*> relays_;
  std::vector<bool> listed_;  // relays that the portal believes in
  std::map<std::pair<std::size_t, std::size_t>, Instant> lanes_;
  std::map<std::pair<std::size_t, std::size_t>, std::uint64_t> psks_;  // client and gateway → generation
  Instant slow_until_{};
  Instant calm_since_{};
  // While a node is authorised its candidates wait for the answer that goes first.
  bool holding_ = false;
  std::vector<std::function<void()>> held_;
};

}  // namespace fireline::sim
