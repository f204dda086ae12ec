#include "tests/unit/core/tunnel/tunnel_world.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/node/node.h"
#include "tests/unit/core/packet/packets.h"

namespace fireline::tunnel::test {
namespace {

constexpr std::uint16_t kPort = 52625;
constexpr int kSameTimeMax = 200;  // turns of one instant
const crypto::Key kClientKey = crypto::seeded_key(1);

}  // namespace

Station::Station(TunnelWorld& the_world, std::size_t site, const std::string& address, std::uint64_t seed)
    : world(the_world),
      host(world.network.add_host(*this)),
      random(seed),
      aead(crypto::make_aead(crypto::AeadBackend::libsodium)) {
  world.network.attach(host, site, ip(address), std::nullopt);
}

Station::~Station() {
  stop();
}

void Station::run(std::unique_ptr<packet::Engine> engine, std::function<void()> drain) {
  engine_ = std::move(engine);
  work_ = engine_->make_work();
  drain_ = std::move(drain);
}

void Station::stop() {
  output = {};
  work_.reset();
  engine_.reset();
}

void Station::send(const Packets& packets) {
  packet::TunBatch batch = wireguard::Node::tun_batch(input, packets);
  engine_->plan(world.now(), batch, *work_);
  aead->seal(work_->jobs);
  engine_->commit(world.now(), *work_, output);
  collect();
}

void Station::run_due() {
  if (!engine_ || poll_timeout().value_or(Instant::max()) > world.queue.now()) return;
  engine_->handle_timeout(world.now(), output);
  collect();
}

std::optional<Instant> Station::poll_timeout() const {
  return engine_ ? engine_->poll_timeout() : std::nullopt;
}

bool Station::is_open(const Endpoint& destination) const {
  return engine_ != nullptr && destination.port == kPort;
}

void Station::receive(const sim::Train& train) {
  packet::UdpBatch batch;
  packet::Buffer buffer = input.acquire();
  std::ranges::copy(train.bytes, buffer.data());
  batch.datagrams.push_back({.bytes = buffer.bytes().first(train.bytes.size()),
                             .segment_bytes = train.segment_bytes,
                             .ecn = train.ecn,
                             .source = train.source,
                             .local = {.address = train.destination.address, .interface = 0}});
  batch.buffers.push_back(std::move(buffer));
  engine_->plan(world.now(), batch, *work_);
  aead->open(work_->jobs);
  engine_->commit(world.now(), *work_, output);
  collect();
}

void Station::collect() {
  while (engine_->step_handshake(world.now(), output)) {
  }
  send_trains(output.udp4);
  send_trains(output.udp6);
  for (const packet::TunWrite& write : output.tun.packets) {
    auto packets = packet::test::cut(output.tun, write);
    ASSERT_TRUE(packets.has_value()) << "the kernel would refuse this packet";
    std::ranges::move(*packets, std::back_inserter(delivered));
  }
  output.tun.clear();
  drain_();
}

void Station::send_trains(packet::UdpSendBatch& batch) {
  for (const packet::UdpTrain& out : batch.trains) {
    sim::Train train;
    train.ecn = out.ecn;
    const auto own = world.network.address(host, out.destination.address.family());
    train.source = {.address = out.local.address.is_unspecified() && own ? *own : out.local.address, .port = kPort};
    train.destination = out.destination;
    for (std::size_t at = 0; at < out.bytes.size(); at += out.segment_bytes) {
      train.append(out.bytes.subspan(at, std::min<std::size_t>(out.segment_bytes, out.bytes.size() - at)), 0);
    }
    world.network.send(host, std::move(train));
  }
  batch.clear();
}

PlainGateway::PlainGateway(TunnelWorld& world, std::uint8_t the_number)
    : number(the_number),
      station(world, world.gateway_site, "10.0.1." + std::to_string(the_number), 100u + the_number) {
  node::NodeOptions options;
  options.role = node::NodeRole::gateway;
  options.port_v4 = options.port_v6 = kPort;
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

  station = std::make_unique<Station>(*this, client_site, "10.0.0.4", 3);
  options.node.port_v4 = options.node.port_v6 = kPort;
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

void TunnelWorld::run(Duration duration) {
  static_cast<void>(run_until([] { return false; }, duration));
}

bool TunnelWorld::run_until(const std::function<bool()>& condition, Duration limit) {
  const Instant end = queue.now() + limit;
  int same = 0;
  for (;;) {
    if (condition()) return true;
    const Instant before = queue.now();
    Instant next = queue.next();
    const auto earlier = [&](const std::optional<Instant>& time) { next = std::min(next, time.value_or(next)); };
    earlier(relay->poll_timeout());
    earlier(station->poll_timeout());
    for (auto& [number, one] : gateways) earlier(one->station.poll_timeout());
    if (next > end) {
      queue.advance_to(end);
      return false;
    }
    next = std::max(next, before);
    same = next == before ? same + 1 : 0;
    if (same > kSameTimeMax) {
      ADD_FAILURE() << "a timer repeats without progress";
      return false;
    }
    if (queue.next() <= next) {
      queue.run_next();
    } else {
      queue.advance_to(next);
    }
    if (relay->poll_timeout().value_or(Instant::max()) <= queue.now()) relay->handle_timeout();
    station->run_due();
    for (auto& [number, one] : gateways) one->station.run_due();
  }
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
