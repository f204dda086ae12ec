// A client or a gateway between "the portal told both sides to talk" and "IP packets flow": connections, each with an
// ICE agent and a WireGuard peer, and the relays that they share. Sans-I/O; see core/packet/engine.h for the seam.
// Source: connectivity specification 0 to 4; docs/connectivity.md draws the states.
//
// STUN and TURN are handled while a UDP batch is planned and never reach the WireGuard device; what they make us send
// is in the output of the next commit, step_handshake or handle_timeout, and poll_timeout gives a time in the past
// while something waits. Every input with an `output` appends to it what it leads to.
//
// Lifetime: buffers, random and aead must outlive the node; every Work must be dropped before it.
// Threads: one owner thread; jobs alone run elsewhere. Counters may be read from any thread.
// Limits: node_options.h, and those of the parts. Allocates for connections and their candidates, not for packets.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/counters.h"
#include "core/crypto/aead.h"
#include "core/crypto/keys.h"
#include "core/crypto/random.h"
#include "core/node/connection_parameters.h"
#include "core/node/node_counters.h"
#include "core/node/node_event.h"
#include "core/node/node_options.h"
#include "core/node/node_status.h"
#include "core/packet/engine.h"
#include "core/turn/relay_entries.h"
#include "core/turn/turn_counters.h"
#include "core/wireguard/device.h"

namespace fireline::node {

struct NodeState;

class Node final : public packet::Engine {
 public:
  // `start` is the clock pair from which handshake timestamps are derived for as long as the node lives. `large` and
  // `small` give buffers of packet::kLargeBufferBytes and kSmallBufferBytes.
  Node(const NodeOptions& options, const crypto::Key& private_key, Now start, packet::BufferSource& large,
       packet::BufferSource& small, crypto::Random& random, crypto::Aead& aead);
  ~Node() override;

  // The portal's relay lists: `connected` ones are new, known, or replaced when their address or credentials differ;
  // `removed` ones go, and every other one is asked whether it still knows us.
  void update_relays(Now now, std::span<const std::string> removed, std::span<const turn::RelayEntry> connected,
                     packet::Output& output);

  // Makes the connection or, where all five parts of its identity are the same, wakes it and signals all of our
  // candidates again. May come any number of times.
  UpsertOutcome upsert(Now now, const ConnectionParameters& parameters, packet::Output& output);
  // The peer's candidates as text. What does not parse is skipped and counted, as is an unknown connection.
  void add_remote_candidates(Now now, std::string_view id, std::span<const std::string> candidates,
                             packet::Output& output);
  void invalidate_remote_candidates(Now now, std::string_view id, std::span<const std::string> candidates,
                                    packet::Output& output);
  // The networks whose packets take this connection, in place of those that it had. An unknown connection is ignored.
  void set_allowed_ips(Now now, std::string_view id, std::vector<Prefix> allowed_ips, packet::Output& output);
  // An IP packet of our own to that peer, at once; without a session or path it is dropped and counted. Not from
  // within InnerPolicy::admit.
  void send_packet(Now now, const crypto::PublicKey& peer, ConstBytes packet, packet::Output& output);
  // One goodbye if there is a path, then the event `closed`.
  void close(Now now, std::string_view id, packet::Output& output);
  void close_all(Now now, packet::Output& output);

  // A client's network changed: forgets relays, connections (event `closed`, no goodbye), and what waits to be sent or
  // told, and goes on with another key. Relays come with the next update_relays.
  void reset(Now now, const crypto::Key& private_key, packet::Output& output);
  // The machine slept: asks the relays whether they still know us, and checks all paths at once.
  void resume(Now now, packet::Output& output);
  // ICMP said that nobody listens there. A hint alone: the relay or the paths concerned are probed at once.
  void handle_unreachable(Now now, const Endpoint& destination, packet::Output& output);
  void set_ports(std::uint16_t v4, std::uint16_t v6);
  // The TUN was probed anew. Between commits only.
  void set_tun_offloads(packet::CoalescerOptions offloads);

  std::unique_ptr<packet::Work> make_work() override;
  void plan(Now now, packet::TunBatch& batch, packet::Work& work) override;
  void plan(Now now, packet::UdpBatch& batch, packet::Work& work) override;
  void commit(Now now, packet::Work& work, packet::Output& output) override;
  bool step_handshake(Now now, packet::Output& output) override;
  [[nodiscard]] std::optional<Instant> poll_timeout() const override;
  void handle_timeout(Now now, packet::Output& output) override;
  void stop_merging() override;

  // The oldest event that was not fetched yet. Candidates that are gathered before they are fetched come in one event.
  [[nodiscard]] std::optional<NodeEvent> poll_event();

  [[nodiscard]] std::vector<ConnectionStatus> status() const;
  [[nodiscard]] std::vector<RelayStatus> relays(Now now) const;
  [[nodiscard]] std::size_t connection_count() const noexcept;
  [[nodiscard]] bool has_connection(std::string_view id) const noexcept;
  // Whether a connection that worked has no path that answers: ice::Agent::is_silent().
  [[nodiscard]] bool is_silent(std::string_view id) const noexcept;
  [[nodiscard]] const Counters<NodeCounter>& counters() const noexcept;
  [[nodiscard]] const Counters<ice::AgentCounter>& ice_counters() const noexcept;
  [[nodiscard]] const Counters<turn::TurnCounter>& turn_counters() const noexcept;
  [[nodiscard]] const wireguard::Device& device() const noexcept;

 private:
  std::unique_ptr<NodeState> state_;
};

}  // namespace fireline::node
