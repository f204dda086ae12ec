#include "tests/unit/core/tunnel/whole_system.h"

#include <utility>
#include <variant>

#include "core/crypto/x25519.h"
#include "core/portal/client_codec.h"
#include "core/portal/gateway_codec.h"
#include "core/portal/relay_codec.h"

namespace fireline::tunnel::test {
namespace {

IpAddress ip(const std::string& text) {
  return IpAddress::parse(text).value();
}

std::size_t add_natted_site(sim::Network& network, const std::string& address) {
  sim::SiteOptions site;
  site.nat4 = sim::NatOptions();
  site.public4 = ip(address);
  return network.add_site(site);
}

std::string name_of_id(const Uuid& id) {
  const std::string name(id.bytes.begin(), id.bytes.end());
  return name.substr(0, name.find('\0'));
}

}  // namespace

policy::Document whole_document() {
  policy::Document document = policy::document({});
  policy::Resource internet = policy::network("internet", "0.0.0.0/0");
  internet.kind = policy::ResourceKind::internet;
  internet.network = {};
  document.resources = {policy::network("net", "10.20.0.0/16"), policy::network("web", "10.30.0.0/16"),
                        policy::network("far", "10.40.0.0/16", {"away"}), internet};
  document.resources[1].filters.filters = {
      {.protocol = policy::FilterProtocol::tcp, .first_port = 80, .last_port = 80}};
  document.policies = {policy::policy({0}, {0, 1, 2, 3})};
  document.link();
  return document;
}

TunnelProgram::TunnelProgram(WholeSystem& whole, portal::Role role, std::string device, std::string token,
                             std::size_t site, const std::string& address)
    : system(whole),
      name(std::move(device)),
      station(whole.queue, whole.network, site, ip(address), std::nullopt, ++whole.next_seed),
      channel(whole.portal, name, role == portal::Role::client ? "headless-client/1.5.5" : "gateway/1.4.19",
              [this](std::string_view event, std::string_view payload) { on_message(event, payload); }),
      role_(role),
      token_(std::move(token)),
      seed_(whole.next_seed * 1000) {
  system.clock.add(station);
  system.clock.add(channel);
}

void TunnelProgram::start() {
  const crypto::Key key = new_key();
  station.run(make_engine(key), [this] { drain_engine(); });
  channel.start({.role = role_, .give_up_after = {}}, {.role = role_,
                                                       .token = crypto::SecretText(token_),
                                                       .external_id = external_id(),
                                                       .name = name,
                                                       .ipv4 = {},
                                                       .ipv6 = {},
                                                       .device_serial = {},
                                                       .device_uuid = {},
                                                       .public_key = crypto::public_key(key)});
}

void TunnelProgram::kill() {
  station.stop();
  channel.kill();
}

void TunnelProgram::cut_off() {
  station.stop();
  channel.cut_off();
}

crypto::Key TunnelProgram::new_key() {
  return crypto::seeded_key(++seed_);
}

std::unique_ptr<packet::Engine> ClientProgram::make_engine(const crypto::Key& key) {
  ClientOptions mine = options;
  mine.node.port_v4 = mine.node.port_v6 = node::kStationPort;
  auto client = std::make_unique<Client>(mine, key, now(), station.large, station.small, station.random, *station.aead);
  engine = client.get();
  station.on_unreachable = [this](const Endpoint& destination) {
    station.call([&](packet::Output& output) { engine->handle_unreachable(now(), destination, output); });
  };
  return client;
}

// As tools/client/reactions.h.
void ClientProgram::drain_engine() {
  while (auto event = engine->poll_event()) {
    if (const auto* intent = std::get_if<portal::CreateFlow>(&*event)) {
      channel.send(portal::write(portal::ClientToPortal(*intent)));
    } else if (const auto* candidates = std::get_if<portal::IceCandidates>(&*event)) {
      channel.send(portal::write(portal::ClientToPortal(*candidates)));
    } else if (std::holds_alternative<RelaysWanted>(*event)) {
      ++relays_wanted;
      channel.reconnect();
    } else if (std::holds_alternative<TunChanged>(*event)) {
      if (engine->take_tun_configuration()) ++tun_changes;
    } else if (const auto* flow = std::get_if<FlowReport>(&*event)) {
      outcomes.push_back(flow->outcome);
    } else if (auto* report = std::get_if<GatewayReport>(&*event)) {
      reports.push_back(std::move(*report));
    }
  }
}

void ClientProgram::on_message(std::string_view event, std::string_view payload) {
  const auto message = portal::read_portal_to_client(event, payload);
  ASSERT_TRUE(message.has_value()) << event << " cannot be read: " << payload;
  station.call([&](packet::Output& output) { engine->handle(now(), *message, output); });
}

void ClientProgram::reset() {
  const crypto::Key key = new_key();
  station.call([&](packet::Output& output) { engine->reset(now(), key, output); });
  channel.identity().public_key = crypto::public_key(key);
  channel.reconnect();
}

void ClientProgram::shut_down() {
  channel.stop();
  station.call([&](packet::Output& output) { engine->close_all(now(), output); });
  kill();
}

Packet ClientProgram::to(const std::string& destination, std::uint8_t tag) const {
  const auto status = engine->status();
  const IpAddress& own = destination.contains(':') ? status.ipv6 : status.ipv4;
  return wireguard::udp_packet(own.to_string(), destination, 100, tag);
}

Packet ClientProgram::from(const std::string& source, std::uint8_t tag) const {
  const auto status = engine->status();
  const IpAddress& own = source.contains(':') ? status.ipv6 : status.ipv4;
  return wireguard::udp_packet(source, own.to_string(), 100, tag);
}

std::optional<Uuid> ClientProgram::gateway_of(const std::string& resource) const {
  for (const ResourceFlow& one : engine->status().flows) {
    if (one.resource == policy::id_of(resource)) return one.gateway;
  }
  return std::nullopt;
}

Reachability ClientProgram::status_of(const std::string& resource) const {
  for (const ResourceView& one : engine->status().resources) {
    if (one.id == policy::id_of(resource)) return one.status;
  }
  ADD_FAILURE() << "no resource " << resource;
  return Reachability::unknown;
}

std::unique_ptr<packet::Engine> GatewayProgram::make_engine(const crypto::Key& key) {
  auto made = std::make_unique<Gateway>(
      node::NodeOptions{.port_v4 = node::kStationPort, .port_v6 = node::kStationPort, .tun_offloads = {}}, key, now(),
      station.large, station.small, station.random, *station.aead);
  engine = made.get();
  engine->set_host_addresses({});
  station.on_unreachable = [this](const Endpoint& destination) {
    station.call([&](packet::Output& output) { engine->handle_unreachable(now(), destination, output); });
  };
  return made;
}

// As tools/gateway/reactions.h.
void GatewayProgram::drain_engine() {
  while (auto event = engine->poll_event()) {
    if (const auto* answer = std::get_if<portal::FlowAuthorized>(&*event)) {
      channel.send(portal::write(portal::GatewayToPortal(*answer)));
    } else if (const auto* candidates = std::get_if<portal::IceCandidates>(&*event)) {
      channel.send(portal::write(portal::GatewayToPortal(*candidates)));
    } else if (std::holds_alternative<RelaysWanted>(*event)) {
      channel.reconnect();
    } else if (const auto* grant = std::get_if<GrantReport>(&*event)) {
      grants.push_back(*grant);
    } else if (const auto* end = std::get_if<ClientGone>(&*event)) {
      gone.push_back(*end);
    } else if (auto* report = std::get_if<ClientReport>(&*event)) {
      reports.push_back(std::move(*report));
    }
  }
}

void GatewayProgram::on_message(std::string_view event, std::string_view payload) {
  const auto message = portal::read_portal_to_gateway(event, payload);
  ASSERT_TRUE(message.has_value()) << event << " cannot be read: " << payload;
  station.call([&](packet::Output& output) { engine->handle(now(), *message, output); });
}

void GatewayProgram::shut_down() {
  channel.stop();
  station.call([&](packet::Output& output) { engine->close_all(now(), output); });
  kill();
}

std::vector<std::string> GatewayProgram::grants_of(const TunnelProgram& client) const {
  std::vector<std::string> names;
  for (const ClientView& one : engine->status().clients) {
    if (one.id != client.id()) continue;
    for (const Grant& grant : one.grants) names.push_back(name_of_id(grant.resource.id));
  }
  return names;
}

RelayProgram::RelayProgram(WholeSystem& system, const std::string& name, const std::string& the_address)
    : address(the_address),
      host(system.queue, system.network, name, system.core_site, ip(address), std::nullopt,
           sim::Dice(++system.next_seed)),
      channel(system.portal, name, "relay/0.1.0", [](std::string_view, std::string_view) {}) {
  system.clock.add(host);
  system.clock.add(channel);
  log_in();
}

void RelayProgram::log_in() {
  channel.start(
      {.role = portal::Role::relay, .join_payload = portal::write_relay_join(host.secret()), .give_up_after = {}},
      {.role = portal::Role::relay,
       .token = crypto::SecretText("relay"),
       .external_id = {},
       .name = host.id(),
       .ipv4 = ip(address),
       .ipv6 = {},
       .device_serial = {},
       .device_uuid = {},
       .public_key = {}});
}

void RelayProgram::kill() {
  host.kill();
  channel.kill();
}

void RelayProgram::restart() {
  host.start(true);
  log_in();
}

WholeSystem::WholeSystem(ClientOptions options)
    : portal(queue, whole_document()),
      core_site(network.add_site({})),
      client_site(add_natted_site(network, "198.51.100.4")),
      gateway_site(add_natted_site(network, "198.51.100.7")),
      gateway(begin()),
      client(add_client("alice", "alice", options)) {
  run(1s);
  EXPECT_TRUE(gateway.channel.is_joined());
  EXPECT_TRUE(client.channel.is_joined());
  portal.told.clear();
}

GatewayProgram& WholeSystem::begin() {
  clock.add(portal);
  add_relay("r1", "203.0.113.1");
  return add_gateway("gw1");
}

WholeSystem::~WholeSystem() {
  for (const auto& program : programs) program->station.stop();
}

GatewayProgram& WholeSystem::add_gateway(const std::string& name, const std::string& token) {
  auto made =
      std::make_unique<GatewayProgram>(*this, name, token, gateway_site, "10.0.1." + std::to_string(++gateways));
  GatewayProgram& added = *made;
  programs.push_back(std::move(made));
  added.start();
  return added;
}

ClientProgram& WholeSystem::add_client(const std::string& name, const std::string& token, ClientOptions options) {
  auto made = std::make_unique<ClientProgram>(*this, name, token, client_site,
                                              "10.0.0." + std::to_string(3 + ++clients), std::move(options));
  ClientProgram& added = *made;
  programs.push_back(std::move(made));
  added.start();
  return added;
}

RelayProgram& WholeSystem::add_relay(const std::string& name, const std::string& address) {
  relays.push_back(std::make_unique<RelayProgram>(*this, name, address));
  return *relays.back();
}

std::optional<Duration> WholeSystem::reach(ClientProgram& from, const std::string& destination, GatewayProgram& to,
                                           Duration limit) {
  const Instant start = queue.now();
  to.station.delivered.clear();
  while (queue.now() - start < limit) {
    from.station.send({from.to(destination, ++tag)});
    if (run_until([&] { return !to.station.delivered.empty(); }, 1s)) {
      const Duration took = queue.now() - start;
      to.station.delivered.clear();
      return took;
    }
  }
  return std::nullopt;
}

bool WholeSystem::exchange(ClientProgram& from, const std::string& destination, GatewayProgram& to, Duration limit) {
  const Packet there = from.to(destination, ++tag);
  const Packet back = from.from(destination, tag);
  from.station.delivered.clear();
  to.station.delivered.clear();
  from.station.send({there});
  if (!run_until([&] { return to.station.delivered == Packets{there}; }, limit)) return false;
  to.station.send({back});
  return run_until([&] { return from.station.delivered == Packets{back}; }, limit);
}

}  // namespace fireline::tunnel::test
