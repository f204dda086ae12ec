#include "core/node/node.h"

#include <utility>

#include "core/node/node_connections.h"
#include "core/node/node_path.h"
#include "core/node/node_relays.h"
#include "core/node/node_settle.h"
#include "core/node/node_state.h"
#include "core/node/node_timeout.h"

namespace fireline::node {
namespace {

// Behind every input: everybody says what he has to say, and all of it leaves.
void finish(NodeState& state, Now now, packet::Output& output) {
  settle(state, now);
  state.outbox.flush(output);
}

// Behind everything that the device did.
void finish_device(NodeState& state, Now now, packet::Output& output) {
  handle_device_events(state, now);
  finish(state, now, output);
}

}  // namespace

Node::Node(const NodeOptions& options, const crypto::Key& private_key, Now start, packet::BufferSource& large,
           packet::BufferSource& small, crypto::Random& random, crypto::Aead& aead)
    : state_(std::make_unique<NodeState>(options, start, large, small, random, aead)) {
  wireguard::DeviceUpdate update;
  update.private_key = private_key;
  state_->device.apply(start, update, state_->outbox.output());
  state_->device.set_up(start, true, state_->outbox.output());
}

Node::~Node() = default;

void Node::update_relays(Now now, std::span<const std::string> removed, std::span<const turn::RelayEntry> connected,
                         packet::Output& output) {
  state_->last_input = now;
  state_->relays.update(now, removed, connected);
  // Those without a relay choose one with the next timer.
  state_->connections.for_each([&](Connection& connection) {
    if (connection.relay.empty()) state_->touch(connection);
  });
  finish(*state_, now, output);
}

UpsertOutcome Node::upsert(Now now, const ConnectionParameters& parameters, packet::Output& output) {
  state_->last_input = now;
  const UpsertOutcome outcome = node::upsert(*state_, now, parameters);
  finish(*state_, now, output);
  return outcome;
}

void Node::add_remote_candidates(Now now, std::string_view id, std::span<const std::string> candidates,
                                 packet::Output& output) {
  state_->last_input = now;
  node::add_remote_candidates(*state_, now, id, candidates);
  finish(*state_, now, output);
}

void Node::invalidate_remote_candidates(Now now, std::string_view id, std::span<const std::string> candidates,
                                        packet::Output& output) {
  state_->last_input = now;
  node::invalidate_remote_candidates(*state_, now, id, candidates);
  finish(*state_, now, output);
}

void Node::set_allowed_ips(Now now, std::string_view id, std::vector<Prefix> allowed_ips, packet::Output& output) {
  state_->last_input = now;
  if (Connection* connection = state_->connections.find(id)) {
    node::set_allowed_ips(*state_, now, *connection, std::move(allowed_ips));
  }
  finish(*state_, now, output);
}

void Node::send_packet(Now now, const crypto::PublicKey& peer, ConstBytes packet, packet::Output& output) {
  state_->last_input = now;
  (void)state_->device.send_packet(now, peer, packet, output);  // it counts what it drops
  finish_device(*state_, now, output);
}

void Node::close(Now now, std::string_view id, packet::Output& output) {
  state_->last_input = now;
  if (Connection* connection = state_->connections.find(id)) node::close(*state_, now, *connection);
  finish(*state_, now, output);
}

void Node::close_all(Now now, packet::Output& output) {
  state_->last_input = now;
  for (Connection* connection : state_->connections.all()) node::close(*state_, now, *connection);
  finish(*state_, now, output);
}

void Node::reset(Now now, const crypto::Key& private_key, packet::Output& output) {
  state_->last_input = now;
  node::reset(*state_, now, private_key);
  finish(*state_, now, output);
}

void Node::resume(Now now, packet::Output& output) {
  state_->last_input = now;
  recheck(*state_, now);
  finish(*state_, now, output);
}

void Node::handle_unreachable(Now now, const Endpoint& destination, packet::Output& output) {
  state_->last_input = now;
  probe(*state_, now, destination);
  finish(*state_, now, output);
}

void Node::set_ports(std::uint16_t v4, std::uint16_t v6) {
  state_->options.port_v4 = v4;
  state_->options.port_v6 = v6;
}

void Node::set_tun_offloads(packet::CoalescerOptions offloads) {
  state_->device.set_tun_offloads(offloads);
}

std::unique_ptr<packet::Work> Node::make_work() {
  return state_->device.make_work();
}

void Node::plan(Now now, packet::TunBatch& batch, packet::Work& work) {
  state_->last_input = now;
  state_->device.plan(now, batch, work);
}

void Node::plan(Now now, packet::UdpBatch& batch, packet::Work& work) {
  state_->last_input = now;
  const LocalPorts ports{.v4 = state_->options.port_v4, .v6 = state_->options.port_v6};
  if (state_->demultiplexer.split(now, batch, ports)) state_->relays_spoke = true;
  settle(*state_, now);
  state_->device.plan(now, batch, work);
}

void Node::commit(Now now, packet::Work& work, packet::Output& output) {
  state_->last_input = now;
  state_->outbox.flush(output);
  state_->device.commit(now, work, output);
  finish_device(*state_, now, output);
}

bool Node::step_handshake(Now now, packet::Output& output) {
  state_->last_input = now;
  state_->outbox.flush(output);
  const bool stepped = state_->device.step_handshake(now, output);
  finish_device(*state_, now, output);
  return stepped;
}

std::optional<Instant> Node::poll_timeout() const {
  return next_timeout(*state_);
}

void Node::handle_timeout(Now now, packet::Output& output) {
  state_->last_input = now;
  state_->relays.handle_timeout(now);
  settle(*state_, now);
  run_connections(*state_, now);
  finish(*state_, now, output);
  state_->device.handle_timeout(now, output);
  finish_device(*state_, now, output);
}

void Node::stop_merging() {
  state_->device.stop_merging();
}

std::optional<NodeEvent> Node::poll_event() {
  return state_->poll_event();
}

std::vector<ConnectionStatus> Node::status() const {
  std::vector<ConnectionStatus> all;
  all.reserve(state_->connections.size());
  state_->connections.for_each([&](const Connection& connection) {
    ConnectionStatus& one = all.emplace_back();
    one.id = connection.parameters.id;
    one.peer_key = connection.parameters.peer_key;
    one.phase = connection.phase;
    one.ice = connection.agent.state();
    if (connection.path) one.path = path_state(connection);
    one.path_suspended = connection.suspended;
    one.relay = connection.relay;
    one.created = connection.created;
    one.pairs = connection.agent.pairs().size();
    one.local_candidates = connection.agent.local_candidates().size();
    one.remote_candidates = connection.agent.remote_candidates().size();
  });
  return all;
}

std::vector<RelayStatus> Node::relays(Now now) const {
  std::vector<RelayStatus> all;
  state_->relays.for_each([&](std::string_view id, const turn::Allocation& allocation) {
    RelayStatus& one = all.emplace_back();
    one.id = id;
    one.allocation = allocation.status(now);
    state_->connections.for_each([&](const Connection& connection) { one.connections += connection.relay == id; });
  });
  return all;
}

std::size_t Node::connection_count() const noexcept {
  return state_->connections.size();
}

bool Node::has_connection(std::string_view id) const noexcept {
  return state_->connections.find(id) != nullptr;
}

bool Node::is_silent(std::string_view id) const noexcept {
  const Connection* const connection = state_->connections.find(id);
  return connection != nullptr && connection->agent.is_silent();
}

const Counters<NodeCounter>& Node::counters() const noexcept {
  return state_->counters;
}

const Counters<ice::AgentCounter>& Node::ice_counters() const noexcept {
  return state_->ice_counters;
}

const Counters<turn::TurnCounter>& Node::turn_counters() const noexcept {
  return state_->relays.counters();
}

const wireguard::Device& Node::device() const noexcept {
  return state_->device;
}

}  // namespace fireline::node
