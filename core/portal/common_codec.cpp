#include "core/portal/common_codec.h"

#include <algorithm>

#include "core/portal/codec_limits.h"

namespace fireline::portal {
namespace {

using simdjson::dom::element;

constexpr std::uint16_t kDnsPort = 53;

// RFC 1035 section 2.3.4: labels of 1 to 63 bytes, 255 in all with their lengths; one dot may end the name.
bool is_domain_name(std::string_view name) noexcept {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > 253) return false;
  while (true) {
    const auto label = name.substr(0, name.find('.'));
    if (label.empty() || label.size() > 63) return false;
    if (!std::ranges::all_of(label, [](char c) { return c > ' ' && c < '\x7f'; })) return false;
    if (label.size() == name.size()) return true;
    name.remove_prefix(label.size() + 1);
  }
}

// "https only, host required, no query string"
bool is_doh_url(std::string_view url) noexcept {
  constexpr std::string_view kScheme = "https://";
  if (!url.starts_with(kScheme) || url.find('?') != std::string_view::npos) return false;
  const auto host = url.substr(kScheme.size(), url.find_first_of("/:#", kScheme.size()) - kScheme.size());
  return !host.empty();
}

std::vector<IpAddress> read_upstreams(JsonFields& interface) {
  std::vector<IpAddress> servers;
  for (const element& each : interface.optional_array("upstream_do53", kUpstreamsMax)) {
    JsonFields server(each);
    const auto address = IpAddress::parse(server.text("ip", kFieldBytesMax));
    if (!address) return interface.fail(), std::vector<IpAddress>();
    servers.push_back(*address);
  }
  std::vector<IpAddress> legacy;
  for (const element& each : interface.optional_array("upstream_dns", kUpstreamsMax)) {
    JsonFields server(each);
    const bool known = server.text("protocol", kFieldBytesMax) == "ip_port";
    legacy.push_back(server.endpoint("address").address);
    if (!known || server.failed()) interface.fail();
  }
  return servers.empty() ? legacy : servers;
}

turn::RelayEntry read_relay(const element& value, JsonFields& message) {
  JsonFields fields(value);
  turn::RelayEntry entry;
  const auto type = fields.text("type", kFieldBytesMax);
  entry.kind = type == "stun" ? turn::RelayEntryKind::stun : turn::RelayEntryKind::turn;
  entry.id = fields.id("id").to_string();
  entry.address = fields.endpoint("addr");
  if (type == "turn") {
    entry.username = fields.text("username", kFieldBytesMax);
    entry.password = fields.text("password", kFieldBytesMax);
    entry.expires_at = fields.timestamp("expires_at");
  }
  if (fields.failed() || (type != "turn" && type != "stun")) message.fail();
  return entry;
}

}  // namespace

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Interface read_interface(JsonFields fields, JsonFields& message) {
  Interface interface;
  interface.ipv4 = fields.address("ipv4", Family::v4);
  interface.ipv6 = fields.address("ipv6", Family::v6);
  interface.upstream_do53 = read_upstreams(fields);
  for (const element& each : fields.optional_array("upstream_doh", kUpstreamsMax)) {
    JsonFields server(each);
    interface.upstream_doh.push_back(server.text("url", kFieldBytesMax));
    if (!is_doh_url(interface.upstream_doh.back())) fields.fail();
  }
  interface.search_domain = fields.optional_text("search_domain", kFieldBytesMax);
  if (interface.search_domain && !is_domain_name(*interface.search_domain)) fields.fail();
  if (fields.failed()) message.fail();
  return interface;
}

Json write_addresses(const Interface& interface) {
  return {{"ipv4", interface.ipv4.to_string()}, {"ipv6", interface.ipv6.to_string()}};
}

Json write_interface(const Interface& interface) {
  Json json = write_addresses(interface);
  json["search_domain"] = interface.search_domain ? Json(*interface.search_domain) : Json();
  json["upstream_do53"] = Json::array();
  json["upstream_doh"] = Json::array();
  json["upstream_dns"] = Json::array();
  for (const IpAddress& server : interface.upstream_do53) {
    json["upstream_do53"].push_back(Json{{"ip", server.to_string()}});
    const Endpoint endpoint{.address = server, .port = kDnsPort};
    json["upstream_dns"].push_back(Json{{"protocol", "ip_port"}, {"address", endpoint.to_string()}});
  }
  for (const std::string& url : interface.upstream_doh) json["upstream_doh"].push_back(Json{{"url", url}});
  return json;
}

RelayEntries read_relays(JsonFields& message, std::string_view key, bool optional) {
  RelayEntries relays;
  const auto elements = optional ? message.optional_array(key, kRelayEntriesMax) : message.array(key, kRelayEntriesMax);
  for (const element& each : elements) {
    auto relay = read_relay(each, message);
    if (relay.kind == turn::RelayEntryKind::turn) relays.push_back(std::move(relay));
  }
  return relays;
}

Json write_relays(const RelayEntries& relays) {
  Json json = Json::array();
  for (const turn::RelayEntry& relay : relays) {
    json.push_back(Json{{"type", "turn"},
                        {"id", relay.id},
                        {"addr", relay.address.to_string()},
                        {"username", relay.username},
                        {"password", relay.password},
                        {"expires_at", relay.expires_at}});
  }
  return json;
}

RelaysPresence read_relays_presence(JsonFields& message) {
  RelaysPresence presence;
  for (const Uuid& id : read_ids(message, "disconnected_ids", kRelayEntriesMax)) {
    presence.disconnected_ids.push_back(id.to_string());
  }
  presence.connected = read_relays(message, "connected", false);
  return presence;
}

Json write_relays_presence(const RelaysPresence& presence) {
  return {{"disconnected_ids", presence.disconnected_ids}, {"connected", write_relays(presence.connected)}};
}

policy::FilterList read_filters(std::span<const element> elements, JsonFields& message) {
  policy::FilterList list;
  for (const element& each : elements) {
    JsonFields fields(each);
    policy::Filter filter;
    const auto protocol = fields.text("protocol", kFieldBytesMax);
    if (protocol == "tcp" || protocol == "udp") {
      filter.protocol = protocol == "tcp" ? policy::FilterProtocol::tcp : policy::FilterProtocol::udp;
      filter.first_port = fields.optional_port("port_range_start", 0);
      filter.last_port = fields.optional_port("port_range_end", 65535);
    } else if (protocol == "icmp") {
      filter.protocol = policy::FilterProtocol::icmp;
    } else if (!fields.failed()) {
      list.skipped = true;
      continue;
    }
    if (fields.failed()) message.fail();
    list.filters.push_back(filter);
  }
  return list;
}

Json write_filters(const policy::FilterList& list) {
  Json json = Json::array();
  for (const policy::Filter& filter : list.filters) {
    Json entry;
    switch (filter.protocol) {
      case policy::FilterProtocol::tcp:
        entry["protocol"] = "tcp";
        break;
      case policy::FilterProtocol::udp:
        entry["protocol"] = "udp";
        break;
      case policy::FilterProtocol::icmp:
        entry["protocol"] = "icmp";
        break;
    }
    const bool has_ports = filter.first_port != 0 || filter.last_port != 65535;
    if (filter.protocol != policy::FilterProtocol::icmp && has_ports) {
      entry["port_range_start"] = filter.first_port;
      entry["port_range_end"] = filter.last_port;
    }
    json.push_back(std::move(entry));
  }
  return json;
}

IceCredentialText read_ice(JsonFields& message, std::string_view key) {
  JsonFields fields = message.object(key);
  IceCredentialText credentials{.username = fields.text("username", kFieldBytesMax),
                                .password = fields.text("password", kFieldBytesMax)};
  if (fields.failed()) message.fail();
  return credentials;
}

Json write_ice(const IceCredentialText& credentials) {
  return {{"username", credentials.username}, {"password", credentials.password}};
}

std::vector<Uuid> read_ids(JsonFields& message, std::string_view key, std::size_t limit) {
  std::vector<Uuid> ids;
  for (const element& each : message.array(key, limit)) {
    const auto id = as_id(each);
    if (!id) return message.fail(), std::vector<Uuid>();
    ids.push_back(*id);
  }
  return ids;
}

Json write_ids(std::span<const Uuid> ids) {
  Json json = Json::array();
  for (const Uuid& id : ids) json.push_back(id.to_string());
  return json;
}

IceCandidates read_candidates(JsonFields& message, std::string_view peer_key, bool invalidate) {
  IceCandidates read{.peer = message.id(peer_key), .candidates = {}, .invalidate = invalidate};
  for (const element& each : message.array("candidates", kCandidatesMax)) {
    if (const auto text = as_text(each)) read.candidates.emplace_back(*text);
  }
  return read;
}

MessageText write_candidates(const IceCandidates& candidates, std::string_view peer_key) {
  Json json;
  json[std::string(peer_key)] = candidates.peer.to_string();
  json["candidates"] = candidates.candidates;
  return {.event = candidates.invalidate ? kInvalidateEvent : kCandidatesEvent, .payload = to_text(json)};
}

CandidateBroadcast read_broadcast(JsonFields& message, std::string_view peers_key, bool invalidate) {
  CandidateBroadcast broadcast{
      .peers = read_ids(message, peers_key, kBroadcastPeersMax), .candidates = {}, .invalidate = invalidate};
  const auto candidates = message.find("candidates");
  if (!candidates || !candidates->is_array()) return message.fail(), broadcast;
  if (candidates->get_array().value().size() > kCandidatesMax) return message.fail(), broadcast;
  broadcast.candidates = simdjson::minify(*candidates);
  if (broadcast.candidates.size() > kBroadcastBytesMax) message.fail();
  // Whoever is named twice is told once.
  std::ranges::sort(broadcast.peers);
  broadcast.peers.erase(std::ranges::unique(broadcast.peers).begin(), broadcast.peers.end());
  return broadcast;
}

MessageText write_broadcast(const IceCandidates& candidates, std::string_view peers_key) {
  Json json;
  json[std::string(peers_key)] = write_ids(std::span(&candidates.peer, 1));
  json["candidates"] = candidates.candidates;
  return {.event = candidates.invalidate ? kBroadcastInvalidatedEvent : kBroadcastEvent, .payload = to_text(json)};
}

MessageText write_candidates(Role receiver, const Uuid& sender, const CandidateBroadcast& broadcast) {
  const std::string_view peer_key = receiver == Role::client ? "gateway_id" : "client_id";
  std::string payload;
  payload.append("{\"").append(peer_key).append("\":\"").append(sender.to_string());
  payload.append("\",\"candidates\":").append(broadcast.candidates).append("}");
  return {.event = broadcast.invalidate ? kInvalidateEvent : kCandidatesEvent, .payload = std::move(payload)};
}

}  // namespace fireline::portal
