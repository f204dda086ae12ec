#include "tests/unit/core/tunnel/gateway_world.h"

#include <utility>
#include <variant>

#include "core/node/node.h"

namespace fireline::tunnel::test {
namespace {

constexpr const char* kGatewayConnection = "gateway";

crypto::Key client_key(std::uint8_t number) {
  return crypto::seeded_key(2000u + number);
}

std::size_t add_natted_site(sim::Network& network, const std::string& address) {
  sim::SiteOptions site;
  site.nat4 = sim::NatOptions();
  site.public4 = ip(address);
  return network.add_site(site);
}

ice::Credentials credentials(const portal::IceCredentialText& text) {
  return ice::Credentials::make(text.username, text.password).value();
}

}  // namespace

policy::GatewayResource network_behind(std::uint8_t id, const std::string& network,
                                       std::vector<policy::Filter> filters) {
  return {.id = uuid(id),
          .kind = policy::ResourceKind::cidr,
          .name = network,
          .pattern = {},
          .network = net(network),
          .filters = {.filters = std::move(filters)}};
}

policy::GatewayResource internet_behind(std::uint8_t id) {
  return {.id = uuid(id),
          .kind = policy::ResourceKind::internet,
          .name = std::string(policy::kInternetResourceName),
          .pattern = {},
          .network = {},
          .filters = {}};
}

PlainClient::PlainClient(GatewayWorld& the_world, std::uint8_t the_number)
    : world(the_world),
      number(the_number),
      station(world.queue, world.network, world.client_site, ip("10.0.0." + std::to_string(number)), std::nullopt,
              200u + number) {
  world.clock.add(station);
  start();
}

void PlainClient::start() {
  node::NodeOptions options;
  options.mtu = 1400;  // more than the gateway takes
  options.port_v4 = options.port_v6 = node::kStationPort;
  auto engine = std::make_unique<node::Node>(options, client_key(number), world.now(), station.large, station.small,
                                             station.random, *station.aead);
  node = engine.get();
  station.run(std::move(engine), [this] {
    while (auto event = node->poll_event()) {
      closed += event->kind == node::NodeEvent::Kind::closed;
      const bool gathered = event->kind == node::NodeEvent::Kind::candidates_gathered;
      if (!gathered && event->kind != node::NodeEvent::Kind::candidates_invalidated) continue;
      world.pass_on(number, false, std::move(event->candidates), !gathered);
    }
  });
  station.call([&](packet::Output& output) {
    node->update_relays(world.now(), {}, world.relay.entries_for("client " + std::to_string(number)), output);
  });
}

GatewayWorld::GatewayWorld(bool configured)
    : client_site(add_natted_site(network, "198.51.100.4")),
      gateway_site(add_natted_site(network, "198.51.100.7")),
      relay(queue, network, "relay", network.add_site({}), ip("203.0.113.1"), std::nullopt, sim::Dice(100)),
      station(queue, network, gateway_site, ip("10.0.1.1"), std::nullopt, 5) {
  clock.add(relay);
  clock.add(station);
  auto engine = std::make_unique<Gateway>(
      node::NodeOptions{.port_v4 = node::kStationPort, .port_v6 = node::kStationPort, .tun_offloads = {}},
      gateway_private_key(1), now(), station.large, station.small, station.random, *station.aead);
  gateway = engine.get();
  gateway->set_host_addresses({});
  station.run(std::move(engine), [this] {
    while (auto event = gateway->poll_event()) on_event(std::move(*event));
  });
  if (!configured) return;
  init();
  run(500ms);
}

GatewayWorld::~GatewayWorld() {
  for (auto& [number, one] : clients) one->station.stop();
  station.stop();
}

portal::Timestamp GatewayWorld::in(std::chrono::seconds later) const {
  return std::chrono::floor<std::chrono::seconds>(now().wall + later).time_since_epoch().count();
}

void GatewayWorld::handle(const portal::PortalToGateway& message) {
  station.call([&](packet::Output& output) { gateway->handle(now(), message, output); });
}

void GatewayWorld::init(std::optional<std::vector<portal::Authorization>> authorizations, bool with_relays) {
  portal::Interface interface = own_interface();
  interface.ipv4 = ip("100.64.0.1");
  interface.ipv6 = ip("fd00:2021:1111::1");
  handle(portal::GatewayInit{.interface = interface,
                             .relays = with_relays ? relay.entries_for("gateway") : portal::RelayEntries{},
                             .account_slug = {},
                             .authorizations = std::move(authorizations)});
}

portal::AuthorizeFlow GatewayWorld::request(std::uint8_t number, const policy::GatewayResource& resource,
                                            std::optional<portal::Timestamp> expires_at) const {
  const std::string text = std::to_string(number);
  portal::AuthorizeFlow flow;
  flow.ref = "ref " + text;
  flow.resource = resource;
  flow.client = client_id(number);
  flow.client_key = crypto::public_key(client_key(number));
  flow.preshared_key = crypto::seeded_key(50);
  flow.client_ipv4 = ip(own4(number));
  flow.client_ipv6 = ip(own6(number));
  flow.client_ice = {.username = "llqe" + text, .password = "jio6xwffz6i3ixgub3h4n5" + text};
  flow.gateway_ice = {.username = "nk46" + text, .password = "yiuijlligg2km2kweghata" + text};
  flow.expires_at = expires_at;
  return flow;
}

void GatewayWorld::authorize(std::uint8_t number, const policy::GatewayResource& resource,
                             std::optional<portal::Timestamp> expires_at) {
  PlainClient& one = client(number);
  const portal::AuthorizeFlow flow = request(number, resource, expires_at);
  handle(flow);
  one.station.call([&](packet::Output& output) {
    const node::ConnectionParameters parameters{.id = kGatewayConnection,
                                                .peer_key = crypto::public_key(gateway_private_key(1)),
                                                .preshared_key = flow.preshared_key,
                                                .local = credentials(flow.client_ice),
                                                .remote = credentials(flow.gateway_ice),
                                                .allowed_ips = {net("0.0.0.0/0"), net("::/0")}};
    static_cast<void>(one.node->upsert(now(), parameters, output));
  });
}

PlainClient& GatewayWorld::connect(std::uint8_t number, const policy::GatewayResource& resource,
                                   std::optional<portal::Timestamp> expires_at) {
  authorize(number, resource, expires_at);
  PlainClient& one = client(number);
  one.station.send({from_client(number, "100.64.0.1")});  // the gateway itself is always allowed
  EXPECT_TRUE(run_until([&] { return !station.delivered.empty(); }));
  run(500ms);
  station.delivered.clear();
  events.clear();
  return one;
}

PlainClient& GatewayWorld::client(std::uint8_t number) {
  auto& one = clients[number];
  if (!one) {
    one = std::make_unique<PlainClient>(*this, number);
    run(500ms);
  }
  return *one;
}

std::string GatewayWorld::own6(std::uint8_t client) {
  constexpr const char* kDigits = "0123456789abcdef";
  return std::string("fd00:2021:1111::") + kDigits[client / 16] + kDigits[client % 16];
}

Packet GatewayWorld::from_client(std::uint8_t client, const std::string& destination, std::uint8_t tag) {
  return wireguard::udp_packet(destination.contains(':') ? own6(client) : own4(client), destination, 100, tag);
}

Packet GatewayWorld::to_client(std::uint8_t client, const std::string& source, std::uint8_t tag) {
  return wireguard::udp_packet(source, source.contains(':') ? own6(client) : own4(client), 100, tag);
}

std::size_t GatewayWorld::grants_of(std::uint8_t client) const {
  for (const ClientView& one : gateway->status().clients) {
    if (one.id == client_id(client)) return one.grants.size();
  }
  return 0;
}

void GatewayWorld::on_event(GatewayEvent event) {
  auto* candidates = std::get_if<portal::IceCandidates>(&event);
  if (candidates == nullptr) return events.push_back(std::move(event));
  pass_on(candidates->peer.bytes[15], true, std::move(candidates->candidates), candidates->invalidate);
}

void GatewayWorld::pass_on(std::uint8_t number, bool to_client, std::vector<std::string> candidates, bool invalidate) {
  queue.after(20ms, [this, number, to_client, texts = std::move(candidates), invalidate] {
    if (!to_client) {
      return handle(portal::IceCandidates{.peer = client_id(number), .candidates = texts, .invalidate = invalidate});
    }
    const auto found = clients.find(number);
    if (found == clients.end() || !found->second || !found->second->station.is_running()) return;
    PlainClient& one = *found->second;
    one.station.call([&](packet::Output& output) {
      invalidate ? one.node->invalidate_remote_candidates(now(), kGatewayConnection, texts, output)
                 : one.node->add_remote_candidates(now(), kGatewayConnection, texts, output);
    });
  });
}

}  // namespace fireline::tunnel::test
