#include "tests/unit/core/tunnel/tunnel_world.h"

#include <utility>

#include "core/node/node.h"

namespace fireline::tunnel::test {
namespace {

const crypto::Key kClientKey = crypto::seeded_key(1);

}  // namespace

PlainGateway::PlainGateway(TunnelWorld& world, std::uint8_t the_number)
    : number(the_number),
      station(world.queue, world.network, world.gateway_site, ip("10.0.1." + std::to_string(the_number)), std::nullopt,
              100u + the_number) {
  node::NodeOptions options;
  options.role = node::NodeRole::gateway;
  options.port_v4 = options.port_v6 = node::kStationPort;
  auto engine = std::make_unique<node::Node>(options, gateway_private_key(number), world.now(), station.large,
                                             station.small, station.random, *station.aead);
  node = engine.get();
  station.run(std::move(engine), [this, &world] {
    while (const auto event = node->poll_event()) {
      const bool gathered = event->kind == node::NodeEvent::Kind::candidates_gathered;
      if (!gathered && event->kind != node::NodeEvent::Kind::candidates_invalidated) continue;
      world.pass_on(number, true, event->candidates, !gathered);
    }
  });
  world.clock.add(station);
  station.call([&](packet::Output& output) {
    node->update_relays(world.now(), {}, world.relay_entries("gateway " + std::to_string(number)), output);
  });
}

TunnelWorld::TunnelWorld(ClientOptions options) {
  const std::size_t core = network.add_site({});
  relay =
      std::make_unique<sim::RelayHost>(queue, network, "relay", core, ip("203.0.113.1"), std::nullopt, sim::Dice(100));
  sim::SiteOptions site;
  site.nat4 = sim::NatOptions();
  site.public4 = ip("198.51.100.4");
  client_site = network.add_site(site);
  site.public4 = ip("198.51.100.7");
  gateway_site = network.add_site(site);

  station = std::make_unique<Station>(queue, network, client_site, ip("10.0.0.4"), std::nullopt, 3);
  clock.add(*relay);
  clock.add(*station);
  options.node.port_v4 = options.node.port_v6 = node::kStationPort;
  auto engine = std::make_unique<Client>(std::move(options), kClientKey, now(), station->large, station->small,
                                         station->random, *station->aead);
  client = engine.get();
  station->run(std::move(engine), [this] {
    while (auto event = client->poll_event()) on_client_event(std::move(*event));
  });
}

TunnelWorld::~TunnelWorld() {
  for (auto& [number, one] : gateways) one->station.stop();
  station->stop();
}

void TunnelWorld::handle(const portal::PortalToClient& message) {
  station->call([&](packet::Output& output) { client->handle(now(), message, output); });
}

void TunnelWorld::init(std::vector<policy::ClientResource> resources, bool with_relays) {
  handle(portal::ClientInit{.interface = own_interface(),
                            .resources = std::move(resources),
                            .relays = with_relays ? relay_entries("client") : portal::RelayEntries{}});
  run(500ms);
}

PlainGateway& TunnelWorld::gateway(std::uint8_t number) {
  auto& one = gateways[number];
  if (!one) {
    one = std::make_unique<PlainGateway>(*this, number);
    run(500ms);
  }
  return *one;
}

void TunnelWorld::grant(const Uuid& resource, std::uint8_t number, std::uint8_t site) {
  PlainGateway& one = gateway(number);
  const portal::FlowCreated message = flow(resource, number, site);
  const auto credentials = [](const portal::IceCredentialText& text) {
    return ice::Credentials::make(text.username, text.password).value();
  };
  one.station.call([&](packet::Output& output) {
    const node::ConnectionParameters parameters{.id = "client",
                                                .peer_key = crypto::public_key(kClientKey),
                                                .preshared_key = message.preshared_key,
                                                .local = credentials(message.gateway_ice),
                                                .remote = credentials(message.client_ice),
                                                .allowed_ips = {net(kOwn4), net(kOwn6)}};
    static_cast<void>(one.node->upsert(now(), parameters, output));
  });
  handle(message);
}

void TunnelWorld::connect(const Uuid& resource, const std::string& destination, std::uint8_t number,
                          std::uint8_t site) {
  Station& behind = gateway(number).station;
  station->send({to(destination, 200)});
  grant(resource, number, site);
  EXPECT_TRUE(run_until([&] { return !behind.delivered.empty(); }));
  behind.delivered.clear();
}

Packet TunnelWorld::to(const std::string& destination, std::uint8_t tag) const {
  return wireguard::udp_packet(destination.contains(':') ? kOwn6 : kOwn4, destination, 100, tag);
}

Packet TunnelWorld::from(const std::string& source, std::uint8_t tag) const {
  return wireguard::udp_packet(source, source.contains(':') ? kOwn6 : kOwn4, 100, tag);
}

Reachability TunnelWorld::site_status(std::uint8_t number) const {
  for (const SiteView& one : client->status().sites) {
    if (one.id == site_id(number)) return one.status;
  }
  ADD_FAILURE() << "no such site";
  return Reachability::unknown;
}

std::optional<Uuid> TunnelWorld::gateway_of(const Uuid& resource) const {
  for (const ResourceFlow& one : client->status().flows) {
    if (one.resource == resource) return one.gateway;
  }
  return std::nullopt;
}

std::vector<turn::RelayEntry> TunnelWorld::relay_entries(const std::string& name) const {
  return relay->entries_for(name);
}

void TunnelWorld::on_client_event(ClientEvent event) {
  if (const auto* intent = std::get_if<portal::CreateFlow>(&event)) asked.push_back(intent->resource);
  if (std::holds_alternative<RelaysWanted>(event)) ++relays_wanted;
  if (auto* report = std::get_if<GatewayReport>(&event)) reports.push_back(std::move(*report));
  if (auto* message = std::get_if<portal::IceCandidates>(&event)) {
    pass_on(message->peer.bytes[15], false, std::move(message->candidates), message->invalidate);
  }
}

void TunnelWorld::pass_on(std::uint8_t number, bool to_client, std::vector<std::string> candidates, bool invalidate) {
  if (!signalling) return;
  queue.after(20ms, [this, number, to_client, texts = std::move(candidates), invalidate] {
    if (to_client) {
      return handle(portal::IceCandidates{.peer = gateway_id(number), .candidates = texts, .invalidate = invalidate});
    }
    const auto found = gateways.find(number);
    if (found == gateways.end()) return;
    PlainGateway& one = *found->second;
    one.station.call([&](packet::Output& output) {
      invalidate ? one.node->invalidate_remote_candidates(now(), "client", texts, output)
                 : one.node->add_remote_candidates(now(), "client", texts, output);
    });
  });
}

}  // namespace fireline::tunnel::test
