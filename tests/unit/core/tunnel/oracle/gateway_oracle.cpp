#include "tests/unit/core/tunnel/oracle/gateway_oracle.h"

#include <algorithm>
#include <chrono>

namespace fireline::tunnel::oracle {
namespace {

constexpr std::uint8_t kIcmp4 = 1, kTcp = 6, kUdp = 17, kIcmp6 = 58;

bool bit(const IpAddress& address, unsigned index) {
  return (std::to_integer<unsigned>(address.bytes()[index / 8]) >> (7 - index % 8) & 1u) != 0;
}

// Every address and network inside of `inner` is inside of `outer`.
bool contains(const Prefix& outer, const IpAddress& inner, unsigned inner_length) {
  if (outer.address().family() != inner.family() || outer.length() > inner_length) return false;
  for (unsigned i = 0; i < outer.length(); ++i) {
    if (bit(outer.address(), i) != bit(inner, i)) return false;
  }
  return true;
}

bool is_icmp(const Meaning& packet) {
  return packet.protocol == kIcmp4 || packet.protocol == kIcmp6;
}

// RFC 792 and RFC 4443: an error, or (redirect, source quench) nothing that one answers with an error.
bool is_unanswerable_icmp(const Meaning& packet) {
  if (packet.protocol == kIcmp6) return packet.icmp_type < 128 || packet.icmp_type == 137;
  return packet.protocol == kIcmp4 && std::ranges::count(std::vector{3, 4, 5, 11, 12}, packet.icmp_type) > 0;
}

bool is_error(const Meaning& packet) {
  if (packet.protocol == kIcmp6) return packet.icmp_type >= 1 && packet.icmp_type <= 4;
  return packet.protocol == kIcmp4 && (packet.icmp_type == 3 || packet.icmp_type == 11 || packet.icmp_type == 12);
}

bool is_echo(const Meaning& packet) {
  if (packet.protocol == kIcmp6) return packet.icmp_type == 128 || packet.icmp_type == 129;
  return packet.protocol == kIcmp4 && (packet.icmp_type == 0 || packet.icmp_type == 8);
}

bool has_no_host(const Address& address) {
  return address.kind == Address::no_host || address.kind == Address::multicast;
}

bool filter_permits(const policy::FilterList& list, const Meaning& packet, std::uint16_t port) {
  if (list.filters.empty()) return !list.skipped;
  for (const policy::Filter& filter : list.filters) {
    const bool in_range = filter.first_port <= port && port <= filter.last_port;
    if (filter.protocol == policy::FilterProtocol::tcp && packet.protocol == kTcp && in_range) return true;
    if (filter.protocol == policy::FilterProtocol::udp && packet.protocol == kUdp && in_range) return true;
    if (filter.protocol == policy::FilterProtocol::icmp && is_icmp(packet)) return true;
  }
  return false;
}

enum class Say : std::uint8_t { yes, filtered, uncovered };

// "CIDR resource: its network → union of the filters of all of this client's resources whose network contains it";
// longest prefix.
Say networks_say(const std::vector<policy::GatewayResource>& resources, const IpAddress& remote, const Meaning& packet,
                 std::uint16_t port) {
  const policy::GatewayResource* longest = nullptr;
  for (const auto& one : resources) {
    if (one.kind != policy::ResourceKind::cidr || !contains(one.network, remote, remote.bits())) continue;
    if (longest == nullptr || one.network.length() > longest->network.length()) longest = &one;
  }
  if (longest == nullptr) return Say::uncovered;
  for (const auto& one : resources) {
    if (one.kind != policy::ResourceKind::cidr) continue;
    if (!contains(one.network, longest->network.address(), longest->network.length())) continue;
    if (filter_permits(one.filters, packet, port)) return Say::yes;
  }
  return Say::filtered;
}

bool has_internet(const std::vector<policy::GatewayResource>& resources) {
  return std::ranges::count(resources, policy::ResourceKind::internet, &policy::GatewayResource::kind) > 0;
}

}  // namespace

void GatewayOracle::authorize(const portal::AuthorizeFlow& flow) {
  Client& client = clients_[flow.client];
  client.ipv4 = flow.client_ipv4.to_string();
  client.ipv6 = flow.client_ipv6.to_string();
  client.connected = true;
  const auto known = client.held.find(flow.resource.id);
  if (known != client.held.end() && known->second.resource.kind != flow.resource.kind) return;
  client.held[flow.resource.id] = {.resource = flow.resource, .expires_at = flow.expires_at};
}

void GatewayOracle::reject(const Uuid& client, const Uuid& resource) {
  if (clients_.contains(client)) clients_[client].held.erase(resource);
}

void GatewayOracle::update_expiry(const Uuid& client, const Uuid& resource, portal::Timestamp expires_at) {
  if (!clients_.contains(client) || !clients_[client].held.contains(resource)) return;
  clients_[client].held[resource].expires_at = expires_at;
}

void GatewayOracle::update_resource(const policy::GatewayResource& resource) {
  for (auto& [id, client] : clients_) {
    const auto held = client.held.find(resource.id);
    if (held == client.held.end() || held->second.resource.kind != resource.kind) continue;
    held->second.resource.filters = resource.filters;
  }
}

void GatewayOracle::init(const std::vector<portal::Authorization>& authorizations) {
  for (auto& [id, client] : clients_) {
    std::map<Uuid, Held> kept;
    for (const portal::Authorization& line : authorizations) {
      if (line.client != id || !client.held.contains(line.resource)) continue;
      Held held = client.held[line.resource];
      held.expires_at = line.expires_at;
      const auto before = kept.find(line.resource);
      if (before == kept.end() || *before->second.expires_at < line.expires_at) kept[line.resource] = held;
    }
    client.held = kept;
  }
}

void GatewayOracle::set_connected(const Uuid& client, bool connected) {
  if (clients_.contains(client)) clients_[client].connected = connected;
}

void GatewayOracle::forget_expired(UnixTime wall) {
  for (auto& [id, client] : clients_) {
    std::erase_if(client.held, [&](const auto& entry) { return !is_live(entry.second, wall); });
  }
}

Expected GatewayOracle::from_client(UnixTime wall, const Uuid& id, const Meaning& packet) const {
  if (packet.shape != Shape::good && packet.shape != Shape::with_options) return {};
  const auto client = clients_.find(id);
  if (client == clients_.end()) return {};
  const auto resources = live(client->second, wall);
  if (resources.empty() || packet.destination.kind == Address::multicast) return {};

  const bool may_answer =
      !is_unanswerable_icmp(packet) && !has_no_host(packet.source) && !has_no_host(packet.destination);
  const Expected refused{.forwarded = false, .answer = may_answer ? Answer::prohibited : Answer::none};
  const std::string& its_address = packet.source.is_v6() ? client->second.ipv6 : client->second.ipv4;
  if (packet.source.text != its_address) return refused;
  if (is_unanswerable_icmp(packet)) return {};
  if (packet.destination.kind == Address::own) return {.forwarded = true};
  if (packet.destination.kind == Address::tunnel || packet.destination.kind == Address::proxy) return refused;

  const IpAddress remote = IpAddress::parse(packet.destination.text).value();
  const Say say = networks_say(resources, remote, packet, packet.destination_port);
  if (say == Say::yes) return {.forwarded = true};
  if (!has_internet(resources)) return refused;
  if (packet.destination.kind == Address::unicast_public) return {.forwarded = true};
  if (say == Say::filtered || !may_answer) return refused;
  return {.forwarded = false, .answer = Answer::network};
}

bool GatewayOracle::to_client(UnixTime wall, const Meaning& packet) const {
  const bool is_whole =
      packet.shape == Shape::good || packet.shape == Shape::with_options || packet.shape == Shape::too_long;
  if (!is_whole) return false;
  for (const auto& [id, client] : clients_) {
    if (packet.destination.text != (packet.destination.is_v6() ? client.ipv6 : client.ipv4)) continue;
    const auto resources = live(client, wall);
    if (resources.empty() || !client.connected) return false;
    if (packet.source.kind == Address::own) return true;
    if (packet.source.kind == Address::tunnel) return false;
    if (is_error(packet)) return true;
    if (packet.protocol != kTcp && packet.protocol != kUdp && !is_echo(packet)) return false;
    if (packet.source.kind == Address::proxy) return false;
    const IpAddress remote = IpAddress::parse(packet.source.text).value();
    if (networks_say(resources, remote, packet, packet.source_port) == Say::yes) return true;
    return has_internet(resources) && packet.source.kind == Address::unicast_public;
  }
  return false;
}

bool GatewayOracle::is_live(const Held& held, UnixTime wall) {
  // Whole seconds, which no expiry overflows.
  return !held.expires_at ||
         *held.expires_at > std::chrono::floor<std::chrono::seconds>(wall.time_since_epoch()).count();
}

std::vector<policy::GatewayResource> GatewayOracle::live(const Client& client, UnixTime wall) const {
  std::vector<policy::GatewayResource> all;
  for (const auto& [id, held] : client.held) {
    if (is_live(held, wall)) all.push_back(held.resource);
  }
  return all;
}

}  // namespace fireline::tunnel::oracle
