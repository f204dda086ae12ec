#include "core/tunnel/gateway.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/tunnel/gateway_messages.h"
#include "core/tunnel/gateway_state.h"

namespace fireline::tunnel {

Gateway::Gateway(node::NodeOptions options, const crypto::Key& private_key, Now start, packet::BufferSource& large,
                 packet::BufferSource& small, crypto::Random& random, crypto::Aead& aead)
    : state_(std::make_unique<GatewayState>(std::move(options), private_key, start, large, small, random, aead)) {}

Gateway::~Gateway() = default;

void Gateway::handle(Now now, const portal::PortalToGateway& message, packet::Output& output) {
  // A message is about what there is at its time; and a client that loses its last grant is closed before it comes
  // back.
  state_->clients.expire(now.wall);
  state_->finish(now, output);
  handle_message(*state_, now, message, output);
  state_->finish(now, output);
}

void Gateway::set_host_addresses(std::vector<IpAddress> addresses) {
  state_->packets.set_host_addresses(std::move(addresses));
}

void Gateway::close_all(Now now, packet::Output& output) {
  state_->node.close_all(now, output);
  state_->finish(now, output);
}

void Gateway::resume(Now now, packet::Output& output) {
  state_->clients.expire(now.wall);
  state_->node.resume(now, output);
  state_->finish(now, output);
}

void Gateway::handle_unreachable(Now now, const Endpoint& destination, packet::Output& output) {
  state_->node.handle_unreachable(now, destination, output);
  state_->finish(now, output);
}

void Gateway::set_ports(std::uint16_t v4, std::uint16_t v6) {
  state_->node.set_ports(v4, v6);
}

void Gateway::set_tun_offloads(packet::CoalescerOptions offloads) {
  state_->node.set_tun_offloads(offloads);
}

std::unique_ptr<packet::Work> Gateway::make_work() {
  return state_->node.make_work();
}

void Gateway::plan(Now now, packet::TunBatch& batch, packet::Work& work) {
  state_->packets.filter(now, batch);
  state_->node.plan(now, batch, work);
}

void Gateway::plan(Now now, packet::UdpBatch& batch, packet::Work& work) {
  state_->node.plan(now, batch, work);
}

void Gateway::commit(Now now, packet::Work& work, packet::Output& output) {
  state_->node.commit(now, work, output);
  state_->finish(now, output);
}

bool Gateway::step_handshake(Now now, packet::Output& output) {
  const bool stepped = state_->node.step_handshake(now, output);
  state_->finish(now, output);
  return stepped;
}

std::optional<Instant> Gateway::poll_timeout() const {
  return earlier(earlier(state_->node.poll_timeout(), state_->next_tick), state_->relay_asks.poll_timeout());
}

void Gateway::handle_timeout(Now now, packet::Output& output) {
  if (state_->next_tick && *state_->next_tick <= now.boot) {
    state_->next_tick.reset();
    state_->clients.expire(now.wall);
  }
  state_->node.handle_timeout(now, output);
  state_->finish(now, output);
}

void Gateway::stop_merging() {
  state_->node.stop_merging();
}

std::optional<GatewayEvent> Gateway::poll_event() {
  if (state_->events.empty()) return std::nullopt;
  GatewayEvent event = std::move(state_->events.front());
  state_->events.pop_front();
  return event;
}

GatewayStatus Gateway::status() const {
  std::map<std::string, node::ConnectionStatus> connections;
  for (node::ConnectionStatus& one : state_->node.status()) connections.emplace(one.id, std::move(one));
  GatewayStatus status{.configured = state_->configured, .ipv4 = state_->ipv4, .ipv6 = state_->ipv6, .clients = {}};
  state_->clients.for_each([&](const GatewayClient& client) {
    ClientView& view = status.clients.emplace_back();
    view.id = client.id;
    view.ipv4 = client.ipv4;
    view.ipv6 = client.ipv6;
    view.description = client.description;
    client.access.for_each([&](const Grant& grant) { view.grants.push_back(grant); });
    const auto connection = connections.find(client.id.to_string());
    if (connection != connections.end()) view.connection = std::move(connection->second);
  });
  return status;
}

const Counters<GatewayCounter>& Gateway::counters() const noexcept {
  return state_->counters;
}

const node::Node& Gateway::node() const noexcept {
  return state_->node;
}

}  // namespace fireline::tunnel
