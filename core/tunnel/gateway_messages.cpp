#include "core/tunnel/gateway_messages.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/ice/credentials.h"
#include "core/node/connection_parameters.h"

namespace fireline::tunnel {
namespace {

struct Handler {
  GatewayState& state;
  Now now;
  packet::Output& output;

  void operator()(const portal::GatewayInit& message) const;
  void operator()(const portal::RelaysPresence& message) const;
  void operator()(const portal::AuthorizeFlow& message) const;
  void operator()(const portal::AuthorizationExpiryUpdated& message) const;
  void operator()(const portal::RejectAccess& message) const;
  void operator()(const portal::ResourceUpdated& message) const;
  void operator()(const portal::IceCandidates& message) const;
};

[[nodiscard]] GrantOutcome authorize(const Handler& handler, const portal::AuthorizeFlow& flow);
[[nodiscard]] std::optional<node::ConnectionParameters> parameters_of(const portal::AuthorizeFlow& flow);
void count_refusal(GatewayState& state, GrantOutcome outcome);

void Handler::operator()(const portal::GatewayInit& message) const {
  state.node.update_relays(now, {}, message.relays, output);
  if (!message.relays.empty()) state.relay_asks.settle();
  state.configured = true;
  state.ipv4 = message.interface.ipv4;
  state.ipv6 = message.interface.ipv6;
  state.packets.set_addresses(state.ipv4, state.ipv6);
  if (message.authorizations) state.clients.retain(*message.authorizations);
}

void Handler::operator()(const portal::RelaysPresence& message) const {
  state.node.update_relays(now, message.disconnected_ids, message.connected, output);
  if (!message.connected.empty()) state.relay_asks.settle();
}

void Handler::operator()(const portal::AuthorizeFlow& message) const {
  const GrantOutcome outcome = authorize(*this, message);
  // Before the candidates, which come with the node's events: the client drops those of a gateway that it does not
  // know.
  if (outcome == GrantOutcome::granted) state.events.emplace_back(portal::FlowAuthorized{.ref = message.ref});
  count_refusal(state, outcome);
  if (outcome == GrantOutcome::no_relays) state.relay_asks.want();
  state.events.emplace_back(GrantReport{.client = message.client, .resource = message.resource.id, .outcome = outcome});
}

void Handler::operator()(const portal::AuthorizationExpiryUpdated& message) const {
  state.clients.update_expiry(message);
}

void Handler::operator()(const portal::RejectAccess& message) const {
  state.clients.reject(message);
}

void Handler::operator()(const portal::ResourceUpdated& message) const {
  std::vector<Uuid> other_kind;
  state.clients.update_resource(message.resource, other_kind);
  for (const Uuid& client : other_kind) {
    count_refusal(state, GrantOutcome::kind_changed);
    state.events.emplace_back(
        GrantReport{.client = client, .resource = message.resource.id, .outcome = GrantOutcome::kind_changed});
  }
}

void Handler::operator()(const portal::IceCandidates& message) const {
  const std::string id = message.peer.to_string();
  message.invalidate ? state.node.invalidate_remote_candidates(now, id, message.candidates, output)
                     : state.node.add_remote_candidates(now, id, message.candidates, output);
}

GrantOutcome authorize(const Handler& handler, const portal::AuthorizeFlow& flow) {
  GatewayState& state = handler.state;
  if (!state.configured) return GrantOutcome::no_interface;
  if (const auto refused = state.clients.refusal(flow)) return *refused;
  const auto parameters = parameters_of(flow);
  if (!parameters) return GrantOutcome::bad_request;
  switch (state.node.upsert(handler.now, *parameters, handler.output)) {
    case node::UpsertOutcome::created:
    case node::UpsertOutcome::reused:
    case node::UpsertOutcome::replaced:
      break;
    case node::UpsertOutcome::no_relays:
      return GrantOutcome::no_relays;
    case node::UpsertOutcome::full:
      return GrantOutcome::no_room;
  }
  state.clients.grant(flow);
  return GrantOutcome::granted;
}

std::optional<node::ConnectionParameters> parameters_of(const portal::AuthorizeFlow& flow) {
  const auto local = ice::Credentials::make(flow.gateway_ice.username, flow.gateway_ice.password);
  const auto remote = ice::Credentials::make(flow.client_ice.username, flow.client_ice.password);
  if (!local || !remote) return std::nullopt;
  const auto whole = [](const IpAddress& address) { return Prefix::make(address, address.bits()).value(); };
  return node::ConnectionParameters{.id = flow.client.to_string(),
                                    .peer_key = flow.client_key,
                                    .preshared_key = flow.preshared_key,
                                    .local = *local,
                                    .remote = *remote,
                                    .allowed_ips = {whole(flow.client_ipv4), whole(flow.client_ipv6)}};
}

void count_refusal(GatewayState& state, GrantOutcome outcome) {
  switch (outcome) {
    case GrantOutcome::granted:
      return;  // counted with the grant
    case GrantOutcome::no_interface:
      return state.counters.add(GatewayCounter::refused_no_interface);
    case GrantOutcome::no_relays:
      return state.counters.add(GatewayCounter::refused_no_relays);
    case GrantOutcome::kind_changed:
      return state.counters.add(GatewayCounter::refused_kind_changed);
    case GrantOutcome::bad_request:
      return state.counters.add(GatewayCounter::refused_bad_request);
    case GrantOutcome::no_room:
      return state.counters.add(GatewayCounter::refused_no_room);
  }
}

}  // namespace

void handle_message(GatewayState& state, Now now, const portal::PortalToGateway& message, packet::Output& output) {
  std::visit(Handler{.state = state, .now = now, .output = output}, message);
}

}  // namespace fireline::tunnel
