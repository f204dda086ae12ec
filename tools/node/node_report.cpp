#include "tools/node/node_report.h"

#include <nlohmann/json.hpp>

namespace fireline::lab {
namespace {

using nlohmann::json;

std::string_view name_of(turn::AllocationState state) noexcept {
  switch (state) {
    case turn::AllocationState::starting:
      return "starting";
    case turn::AllocationState::allocating:
      return "allocating";
    case turn::AllocationState::allocated:
      return "allocated";
    case turn::AllocationState::suspended:
      return "suspended";
    case turn::AllocationState::discarded:
      break;
  }
  return "discarded";
}

double seconds(Duration duration) noexcept {
  return std::chrono::duration<double>(duration).count();
}

json text_of(const std::optional<Endpoint>& endpoint) {
  return endpoint ? json(endpoint->to_string()) : json();
}

json to_json(const node::PathState& path, Instant now) {
  json rtt;
  if (path.rtt) rtt = seconds(*path.rtt) * 1000;
  return {{"kind", node::name_of(path.kind)},
          {"relay", path.relay.empty() ? json() : json(path.relay)},
          {"source", path.source.to_string()},
          {"destination", path.destination.to_string()},
          {"channel", path.channel},
          {"rtt_ms", std::move(rtt)},
          {"since_seconds", seconds(now - path.since)}};
}

json to_json(const node::ConnectionStatus& status, Instant now) {
  return {{"id", status.id},
          {"peer_key", status.peer_key.to_base64()},
          {"phase", node::name_of(status.phase)},
          {"ice", ice::name_of(status.ice)},
          {"path", status.path ? to_json(*status.path, now) : json()},
          {"path_suspended", status.path_suspended},
          {"relay", status.relay.empty() ? json() : json(status.relay)},
          {"age_seconds", seconds(now - status.created)},
          {"pairs", status.pairs},
          {"local_candidates", status.local_candidates},
          {"remote_candidates", status.remote_candidates}};
}

json to_json(const node::RelayStatus& status, Instant now) {
  const auto& allocation = status.allocation;
  return {{"id", status.id},
          {"state", name_of(allocation.state)},
          {"server", text_of(allocation.server)},
          {"relayed_v4", text_of(allocation.relayed_v4)},
          {"relayed_v6", text_of(allocation.relayed_v6)},
          {"expires_seconds", allocation.expires ? json(seconds(*allocation.expires - now)) : json()},
          {"channels", allocation.bound_channels},
          {"connections", status.connections}};
}

}  // namespace

std::string to_json(const NodeReport& report) {
  json connections = json::array();
  for (const auto& connection : report.connections) connections.push_back(to_json(connection, report.now));
  json relays = json::array();
  for (const auto& relay : report.relays) relays.push_back(to_json(relay, report.now));
  const json document{{"role", report.role == node::NodeRole::client ? "client" : "gateway"},
                      {"version", FIRELINE_VERSION},
                      {"id", report.id},
                      {"public_key", report.public_key.to_base64()},
                      {"interface", report.tun},
                      {"port_v4", report.port_v4},
                      {"port_v6", report.port_v6},
                      {"icmp_errors", report.icmp_errors},
                      {"threads", report.thread_mode},
                      {"udp_io", report.udp_io},
                      {"aead", report.aead},
                      {"connections", std::move(connections)},
                      {"relays", std::move(relays)},
                      {"counters", report.counters}};
  // Ids come from the rendezvous file: what is no UTF-8 there must not break the answer.
  return document.dump(2, ' ', false, json::error_handler_t::replace) + '\n';
}

}  // namespace fireline::lab
