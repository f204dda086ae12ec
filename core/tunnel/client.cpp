#include "core/tunnel/client.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/tunnel/client_flows.h"
#include "core/tunnel/client_packets.h"
#include "core/tunnel/client_report.h"
#include "core/tunnel/client_resources.h"
#include "core/tunnel/client_state.h"

namespace fireline::tunnel {
namespace {

struct Receiver {
  ClientState& state;
  Now now;
  packet::Output& output;

  void operator()(const portal::ClientInit& init) const {
    set_interface(state, init.interface);
    set_resources(state, now, init.resources, output);
    update_relays({}, init.relays);
  }
  void operator()(const portal::ConfigChanged& changed) const { set_interface(state, changed.interface); }
  void operator()(const portal::ResourceCreatedOrUpdated& message) const {
    put_resource(state, now, message.resource, output);
  }
  void operator()(const portal::ResourceDeleted& message) const {
    remove_resource(state, now, message.resource, output);
  }
  void operator()(const portal::RelaysPresence& presence) const {
    update_relays(presence.disconnected_ids, presence.connected);
  }
  void operator()(const portal::FlowCreated& flow) const { create_flow(state, now, flow, output); }
  void operator()(const portal::FlowCreationFailed& failure) const { fail_flow(state, now, failure, output); }
  void operator()(const portal::IceCandidates& message) const {
    const std::string id = message.peer.to_string();
    message.invalidate ? state.node.invalidate_remote_candidates(now, id, message.candidates, output)
                       : state.node.add_remote_candidates(now, id, message.candidates, output);
  }

 private:
  void update_relays(const std::vector<std::string>& removed, const portal::RelayEntries& connected) const {
    state.node.update_relays(now, removed, connected, output);
    if (connected.empty()) return;
    state.relay_asks.settle();
    ask_again(state, now);
  }
};

}  // namespace

Client::Client(const ClientOptions& options, const crypto::Key& private_key, Now start, packet::BufferSource& large,
               packet::BufferSource& small, crypto::Random& random, crypto::Aead& aead)
    : state_(std::make_unique<ClientState>(options, private_key, start, large, small, random, aead)) {}

Client::~Client() = default;

void Client::handle(Now now, const portal::PortalToClient& message, packet::Output& output) {
  const auto removed = std::exchange(state_->removed, std::nullopt);
  std::visit(Receiver{*state_, now, output}, message);
  if (removed) settle_removal(*state_, *removed);
  renew_tun(*state_, now);
  settle(*state_, now, output);
}

void Client::set_internet_enabled(Now now, bool enabled, packet::Output& output) {
  tunnel::set_internet_enabled(*state_, now, enabled, output);
  renew_tun(*state_, now);
}

void Client::reset(Now now, const crypto::Key& private_key, packet::Output& output) {
  tunnel::reset(*state_, now, private_key, output);
}

void Client::close_all(Now now, packet::Output& output) {
  state_->node.close_all(now, output);
  settle(*state_, now, output);
}

void Client::resume(Now now, packet::Output& output) {
  state_->node.resume(now, output);
  settle(*state_, now, output);
}

void Client::handle_unreachable(Now now, const Endpoint& destination, packet::Output& output) {
  state_->node.handle_unreachable(now, destination, output);
  settle(*state_, now, output);
}

void Client::set_ports(std::uint16_t v4, std::uint16_t v6) {
  state_->node.set_ports(v4, v6);
}

void Client::set_tun_offloads(packet::CoalescerOptions offloads) {
  state_->node.set_tun_offloads(offloads);
}

std::unique_ptr<packet::Work> Client::make_work() {
  return state_->node.make_work();
}

void Client::plan(Now now, packet::TunBatch& batch, packet::Work& work) {
  filter_tun_batch(*state_, now, batch);
  plan_behind_released(*state_, now, batch, work);
  ++state_->works_planned;
}

void Client::plan(Now now, packet::UdpBatch& batch, packet::Work& work) {
  state_->node.plan(now, batch, work);
  ++state_->works_planned;
}

void Client::commit(Now now, packet::Work& work, packet::Output& output) {
  state_->node.commit(now, work, output);
  if (state_->works_planned > 0) --state_->works_planned;
  settle(*state_, now, output);
}

bool Client::step_handshake(Now now, packet::Output& output) {
  const bool stepped = state_->node.step_handshake(now, output);
  settle(*state_, now, output);
  return stepped;
}

std::optional<Instant> Client::poll_timeout() const {
  return earlier(earlier(state_->node.poll_timeout(), state_->sites.poll_timeout()),
                 earlier(state_->relay_asks.poll_timeout(), state_->tun.poll_timeout()));
}

void Client::handle_timeout(Now now, packet::Output& output) {
  if (state_->sites.handle_timeout(now.boot)) state_->resources_changed = true;
  state_->tun.handle_timeout(now.boot);
  state_->node.handle_timeout(now, output);
  settle(*state_, now, output);
}

void Client::stop_merging() {
  state_->node.stop_merging();
}

std::optional<ClientEvent> Client::poll_event() {
  return tunnel::poll_event(*state_);
}

std::optional<TunConfiguration> Client::take_tun_configuration() {
  return tunnel::take_tun_configuration(*state_);
}

std::optional<ResourceList> Client::take_resource_list() {
  return tunnel::take_resource_list(*state_);
}

ClientStatus Client::status() const {
  return status_of(*state_);
}

const Counters<ClientCounter>& Client::counters() const noexcept {
  return state_->counters;
}

const node::Node& Client::node() const noexcept {
  return state_->node;
}

}  // namespace fireline::tunnel
