#include "tools/bench/node_world.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/crypto/x25519.h"
#include "core/stun/channel_data.h"
#include "io/huge_memory.h"
#include "tools/bench/node_addresses.h"
#include "tools/bench/node_party.h"
#include "tools/bench/process.h"
#include "tools/bench/thread_cost.h"

namespace fireline::bench {
namespace {

using namespace std::chrono_literals;

constexpr Duration kWireDelay = 10ms;
// Below the hundred handshake messages of a second at which a node asks for cookies.
constexpr Duration kBetweenClients = 12ms;
constexpr std::size_t kClientsAllocating = 20;  // 240 ms: Binding, Allocate and Allocate with a nonce
constexpr UnixTime kWallStart{1'790'000'000s};
constexpr std::string_view kExpiry = "1890000000:";
constexpr std::size_t kLargeLimitBytes = 64 * packet::kLargeBufferBytes;
constexpr std::size_t kSmallLimitBytes = 8192 * packet::kSmallBufferBytes;

}  // namespace

NodeWorld::NodeWorld(std::size_t clients)
    : clock_nanoseconds_(clock_cost()),
      now_(1000s),
      aead_(crypto::make_aead(
          crypto::fastest_aead_backend([] { return static_cast<std::uint64_t>(thread_nanoseconds()); }))),
      large_("bench.large", packet::kLargeBufferBytes, kLargeLimitBytes),
      small_("bench.small", packet::kSmallBufferBytes, kSmallLimitBytes) {
  large_.adopt(nullptr);
  small_.adopt(nullptr);
  preshared_key_ = crypto::generate_private_key(random_);
  const auto credentials = relay::FirezoneCredentials::draw(random_);
  relay_secret_ = std::string(credentials.secret());
  relay::ServerConfig config{.public_ip4 = relay_address(Family::v4),
                             .public_ip6 = relay_address(Family::v6),
                             .credentials = credentials,
                             .peers = {},
                             .limits = {}};
  config.peers.own_addresses = {relay_address(Family::v4), relay_address(Family::v6)};
  relay_ = std::make_unique<relay::Server>(std::move(config), *this, random_);

  gateway_ = make_party(node::NodeRole::gateway, "22222222-2222-4222-8222-222222222222", 0);
  run_for(1s);
  for (std::size_t i = 0; i < clients + kClientsAllocating; ++i) {
    if (i < clients) clients_.push_back(make_party(node::NodeRole::client, id_of(i), i));
    if (i >= kClientsAllocating) connect(i - kClientsAllocating);
    run_for(kBetweenClients);
    if (i % 64 == 0) check_interrupt();
  }
}

NodeWorld::~NodeWorld() {
  gateway_.reset();
  clients_.clear();
}

void NodeWorld::run_for(Duration duration) {
  const Instant end = now_ + duration;
  for (;;) {
    Instant next = gateway_->next.value_or(Instant::max());
    next = std::min(next, relay_->poll_timeout().value_or(Instant::max()));
    if (!flights_.empty()) next = std::min(next, flights_.front().arrives);
    if (!due_.empty()) next = std::min(next, due_.top().time);
    if (next > end) break;
    now_ = std::max(now_, next);
    while (!flights_.empty() && flights_.front().arrives <= now_) {
      const Flight flight = std::move(flights_.front());
      flights_.pop_front();
      deliver(flight);
    }
    if (gateway_->next && *gateway_->next <= now_) run_timers(*gateway_);
    if (const auto time = relay_->poll_timeout(); time && *time <= now_) relay_->handle_timeout(now());
    while (!due_.empty() && due_.top().time <= now_) {
      const Due due = due_.top();
      due_.pop();
      Party& party = *clients_[due.client];
      if (due.time != party.scheduled) continue;  // another entry took its place
      party.scheduled = Instant::max();
      if (party.next && *party.next <= now_) run_timers(party);
      schedule(party);
    }
  }
  now_ = end;
}

double NodeWorld::take_cpu_nanoseconds() noexcept {
  return std::exchange(cpu_nanoseconds_, 0);
}

std::int64_t NodeWorld::end_gateway() {
  const std::int64_t before = allocated_bytes();
  gateway_.reset();
  return before - allocated_bytes();
}

NodeWorld::Census NodeWorld::census() const {
  Census census;
  for (const auto& one : gateway_->node->status()) {
    ++census.connections;
    census.idle += one.phase == node::ConnectionPhase::idle;
    census.direct += one.path && one.path->kind != node::PathKind::relayed;
    census.pairs += one.pairs;
  }
  return census;
}

void NodeWorld::send_control(const Endpoint& to, std::span<const std::byte> message) {
  post({relay_address(to.address.family()), kRelayPort}, to, message);
}

Now NodeWorld::now() const noexcept {
  return {now_, kWallStart + now_.time_since_epoch()};
}

std::unique_ptr<NodeWorld::Party> NodeWorld::make_party(node::NodeRole role, std::string id, std::size_t index) {
  auto party = std::make_unique<Party>();
  const bool is_client = role == node::NodeRole::client;
  const auto number = static_cast<std::uint32_t>(index);
  party->id = std::move(id);
  party->is_gateway = !is_client;
  party->index = index;
  party->private_key = crypto::generate_private_key(random_);
  party->public_key = crypto::public_key(party->private_key);
  party->v4 = address4(is_client ? kClients4 + number : kGateway4);
  party->v6 = address6(is_client ? kClients6 : kGateway6, index);
  party->tunnel = is_client ? kTunnelOfClients + number : kTunnelOfGateway;
  node::NodeOptions options;
  options.role = role;
  options.port_v4 = options.port_v6 = kNodePort;
  if (!is_client) options.memory = io::huge_memory();
  party->node = std::make_unique<node::Node>(options, party->private_key, now(), large_, small_, random_, *aead_);
  party->work = party->node->make_work();

  const std::string username = std::string(kExpiry) + party->id;
  const auto password = relay::FirezoneCredentials(relay_secret_).password(username);
  std::vector<turn::RelayEntry> relays;
  for (const Family family : {Family::v4, Family::v6}) {
    relays.push_back({"relay-1",
                      turn::RelayEntryKind::turn,
                      {relay_address(family), kRelayPort},
                      username,
                      std::string(password->view())});
  }
  call(*party, [&] { party->node->update_relays(now(), {}, relays, party->output); });
  return party;
}

void NodeWorld::connect(std::size_t index) {
  Party& client = *clients_[index];
  const std::string client_password = "jio6xwffz6i3ixgub3" + ufrag('c', index);
  const std::string gateway_password = "yiuijlligg2km2kweg" + ufrag('g', index);
  const auto of_client = *ice::Credentials::make(ufrag('c', index), client_password);
  const auto of_gateway = *ice::Credentials::make(ufrag('g', index), gateway_password);
  const auto only = [](std::uint32_t tunnel) { return std::vector{*Prefix::make(address4(tunnel), 32)}; };
  const node::ConnectionParameters at_gateway{.id = client.id,
                                              .peer_key = client.public_key,
                                              .preshared_key = preshared_key_,
                                              .local = of_gateway,
                                              .remote = of_client,
                                              .allowed_ips = only(client.tunnel)};
  const node::ConnectionParameters at_client{.id = gateway_->id,
                                             .peer_key = gateway_->public_key,
                                             .preshared_key = preshared_key_,
                                             .local = of_client,
                                             .remote = of_gateway,
                                             .allowed_ips = only(gateway_->tunnel)};
  const auto upsert = [&](Party& party, const node::ConnectionParameters& parameters) {
    node::UpsertOutcome outcome{};
    call(party, [&] { outcome = party.node->upsert(now(), parameters, party.output); });
    if (outcome != node::UpsertOutcome::created) throw BenchError("a connection was not made: no relay, or too many");
  };
  upsert(*gateway_, at_gateway);
  upsert(client, at_client);
}

void NodeWorld::deliver(const Flight& flight) {
  if (flight.bytes.empty()) return deliver_candidates(flight);
  const IpAddress& to = flight.destination.address;
  if (to == relay_address(to.family())) return deliver_to_relay(flight);
  if (to == gateway_->v4 || to == gateway_->v6) return receive(*gateway_, flight);
  const std::size_t number = load_be32(to.bytes(), to.is_v4() ? 0 : 12) - (to.is_v4() ? kClients4 : 0);
  receive(*clients_[number], flight);
}

void NodeWorld::deliver_candidates(const Flight& flight) {
  Party& client = *clients_[flight.client];
  Party& party = flight.to_gateway ? *gateway_ : client;
  const std::string& from = flight.to_gateway ? client.id : gateway_->id;
  call(party, [&] { party.node->add_remote_candidates(now(), from, flight.candidates, party.output); });
}

void NodeWorld::deliver_to_relay(const Flight& flight) {
  if (flight.destination.port != kRelayPort) {
    const auto to = relay_->from_peer(flight.destination.port, flight.source, flight.bytes.size());
    if (!to) return;
    std::vector<std::byte> datagram(stun::kChannelHeaderBytes);
    stun::write_channel_header(datagram, to->channel, static_cast<std::uint16_t>(flight.bytes.size()));
    datagram.insert(datagram.end(), flight.bytes.begin(), flight.bytes.end());
    return post({relay_address(to->client.address.family()), kRelayPort}, to->client, datagram);
  }
  if (stun::kind_of(flight.bytes) == stun::DatagramKind::message) {
    return relay_->handle_control(now(), flight.source, flight.bytes);
  }
  const auto to = relay_->from_client(flight.source, flight.bytes);
  if (!to) return;
  const auto payload = ConstBytes(flight.bytes).subspan(stun::kChannelHeaderBytes, to->bytes);
  post({relay_address(to->peer.address.family()), to->port}, to->peer, payload);
}

void NodeWorld::receive(Party& party, const Flight& flight) {
  packet::UdpBatch batch;
  packet::Buffer buffer = small_.acquire();
  std::ranges::copy(flight.bytes, buffer.data());
  batch.datagrams.push_back({.bytes = buffer.bytes().first(flight.bytes.size()),
                             .segment_bytes = static_cast<std::uint16_t>(flight.bytes.size()),
                             .source = flight.source,
                             .local = {.address = flight.destination.address, .interface = 0}});
  batch.buffers.push_back(std::move(buffer));
  call(party, [&] { run_turn(party, batch); });
}

void NodeWorld::run_timers(Party& party) {
  call(party, [&] { party.node->handle_timeout(now(), party.output); });
}

void NodeWorld::collect(Party& party) {
  pass_on(party, party.output.udp4);
  pass_on(party, party.output.udp6);
  party.output.tun.clear();
  for (node::NodeEvent& event : party.events) {
    if (event.kind == node::NodeEvent::Kind::failed) throw BenchError("a connection failed");
    if (event.kind != node::NodeEvent::Kind::candidates_gathered) continue;
    Flight flight;
    flight.arrives = now_ + kWireDelay;
    flight.to_gateway = !party.is_gateway;
    flight.client = flight.to_gateway ? party.index : client_of(event.connection);
    flight.candidates = std::move(event.candidates);
    flights_.push_back(std::move(flight));
  }
  party.events.clear();
  if (!party.is_gateway) schedule(party);
}

void NodeWorld::pass_on(const Party& party, packet::UdpSendBatch& batch) {
  for (const packet::UdpTrain& train : batch.trains) {
    const Endpoint source{train.destination.address.is_v4() ? party.v4 : party.v6, kNodePort};
    for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
      post(source, train.destination,
           train.bytes.subspan(at, std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at)));
    }
  }
  batch.clear();
}

void NodeWorld::post(const Endpoint& source, const Endpoint& destination, ConstBytes bytes) {
  Flight flight;
  flight.arrives = now_ + kWireDelay;
  flight.source = source;
  flight.destination = destination;
  flight.bytes.assign(bytes.begin(), bytes.end());
  flights_.push_back(std::move(flight));
}

void NodeWorld::schedule(Party& party) {
  if (!party.next || *party.next >= party.scheduled) return;
  party.scheduled = *party.next;
  due_.push({*party.next, party.index});
}

}  // namespace fireline::bench
