#include "tools/node/lab_node.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/crypto/x25519.h"
#include "core/stun/channel_data.h"
#include "core/wireguard/messages.h"
#include "io/limits.h"
#include "io/loop_thread.h"
#include "io/udp_socket.h"
#include "tools/common/super_packet_limit.h"

namespace fireline::lab {
namespace {

using namespace std::chrono_literals;

// A client's packets cause an intent at once, but no two of them within this (connectivity specification 2.2).
constexpr auto kIntentInterval = 2s;
// What asking a portal for relays takes.
constexpr auto kRelaysAfter = 1s;
// As the portal makes them: 4 and 22 of 32 characters (connectivity specification 2.1).
constexpr std::size_t kUfragCharacters = 4;
constexpr std::size_t kPasswordCharacters = 22;
constexpr std::size_t kSessionCharacters = 12;

// Beside an IP packet: WireGuard's header and tag, and a channel header where a relay is used.
constexpr std::size_t kDatagramOverheadBytes = wireguard::kTransportOverheadBytes + stun::kChannelHeaderBytes;

std::uint64_t elapsed_nanoseconds() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

packet::CoalescerOptions merging_allowed_by(const io::TunCapabilities& tun) {
  return {.tcp4 = tun.tso, .tcp6 = tun.tso, .udp = tun.uso};
}

std::string random_text(crypto::Random& random, std::size_t characters) {
  constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";
  std::string text(characters, ' ');
  for (char& c : text) c = kBase32[random.u32() % kBase32.size()];
  return text;
}

ice::Credentials random_credentials(crypto::Random& random) {
  const auto ufrag = random_text(random, kUfragCharacters);
  return *ice::Credentials::make(ufrag, random_text(random, kPasswordCharacters));
}

// The preferred port, else any.
Result<std::unique_ptr<io::UdpSocket>, io::IoError> open_socket(Family family, const Options& options) {
  io::UdpOptions udp{.family = family, .port = options.port, .fwmark = options.fwmark, .path_mtu = io::PathMtu::probe};
  auto socket = io::UdpSocket::open(udp);
  if (socket || options.port == 0) return socket;
  udp.port = 0;
  return io::UdpSocket::open(udp);
}

}  // namespace

Result<std::unique_ptr<LabNode>, std::string> LabNode::start(const Options& options, const Rendezvous& rendezvous,
                                                             io::EventLoop& loop,
                                                             std::move_only_function<void(std::string)> failed) {
  auto tun = io::TunDevice::open(options.tun, {.mtu = options.mtu});
  if (!tun) return err(tun.error().to_string());
  auto aead = crypto::make_aead(crypto::fastest_aead_backend(elapsed_nanoseconds));
  std::unique_ptr<LabNode> self(
      new LabNode(options, rendezvous, loop, std::move(*tun), std::move(aead), std::move(failed)));
  if (auto wrong = self->bind(); !wrong.empty()) return err(std::move(wrong));
  auto icmp = io::IcmpErrors::open(loop, [node = self.get()](const Endpoint& to) { node->on_unreachable(to); });
  if (icmp) {
    self->icmp_ = std::move(*icmp);
    self->icmp_->set_ports(self->port_v4_, self->port_v6_);
  } else {
    spdlog::warn("ICMP errors are not heard of ({}): a relay that died is noticed later", icmp.error().message());
  }
  auto exchange = Exchange::open(loop, options.rendezvous + ".d", options.role,
                                 [node = self.get()](const Record& record) { node->on_record(record); });
  if (!exchange) return err(std::move(exchange.error()));
  self->exchange_ = std::move(*exchange);
  SuperPacketLimit(self->tun_->name(), self->tun_->interface_index(), kDatagramOverheadBytes).fit(options.mtu);
  self->plane_.start();
  self->event_watch_ =
      loop.watch(self->engine_.event_fd(), EPOLLIN, [node = self.get()](io::EventLoop::Events) { node->on_events(); });
  self->closed_watch_ = loop.watch(self->plane_.closed_fd(), EPOLLIN, [node = self.get()](io::EventLoop::Events) {
    node->loop_.unwatch(std::exchange(node->closed_watch_, io::EventLoop::Id::none));
    node->failed_("the interface " + node->tun_->name() + " was removed");
  });
  self->announce_relays();
  return self;
}

LabNode::LabNode(const Options& options, const Rendezvous& rendezvous, io::EventLoop& loop,
                 std::unique_ptr<io::TunDevice> tun, std::unique_ptr<crypto::Aead> aead,
                 std::move_only_function<void(std::string)> failed)
    : options_(options),
      rendezvous_(rendezvous),
      loop_(loop),
      trains_("train", packet::kLargeBufferBytes, io::kTrainPoolBytes),
      packets_("packet", packet::kSmallBufferBytes, io::kPacketPoolBytes),
      tun_(std::move(tun)),
      aead_(std::move(aead)),
      private_key_(rendezvous.own(options.role).private_key),
      node_({.role = options.role, .mtu = options.mtu, .tun_offloads = merging_allowed_by(tun_->capabilities())},
            private_key_, io::read_clocks(), trains_, packets_, random_, *aead_),
      engine_(node_),
      plane_(engine_, *aead_, *tun_, {&trains_, &packets_},
             {options.threads.value_or(io::automatic_thread_mode(io::usable_cpus()))}),
      failed_(std::move(failed)) {}

LabNode::~LabNode() {
  if (!session_.empty()) close();
  for (const auto watch : {event_watch_, closed_watch_}) loop_.unwatch(watch);
  for (const auto timer : {again_, relays_again_}) loop_.cancel(timer);
  plane_.stop();
}

void LabNode::connect() {
  if (session_.empty()) {
    const auto& own = rendezvous_.own(options_.role);
    const bool first_key = private_key_ == own.private_key;
    // Credentials belong to a pair of keys: a new key has new ones.
    intent_ = Intent{.client_key = crypto::public_key(private_key_),
                     .client = first_key ? rendezvous_.client.ice : random_credentials(random_),
                     .gateway = first_key ? rendezvous_.gateway.ice : random_credentials(random_)};
    session_ = random_text(random_, kSessionCharacters);
  }
  last_intent_ = loop_.now().boot;
  exchange_->write({.session = session_, .connect = intent_, .candidates = {}, .invalidated = {}});
  upsert(*intent_);
}

void LabNode::close() {
  session_.clear();
  plane_.run([&](packet::Engine&, Now now, packet::Output& output) { node_.close_all(now, output); });
}

void LabNode::reset() {
  spdlog::info("network reset: new key, new sockets");
  const bool connected = !session_.empty();
  session_.clear();
  private_key_ = crypto::generate_private_key(random_);
  plane_.run([&](packet::Engine&, Now now, packet::Output& output) {
    node_.reset(now, private_key_, output);
    (void)engine_.take();  // that its connections are closed is known
  });
  if (const auto wrong = bind(); !wrong.empty()) spdlog::error("{}", wrong);
  if (icmp_) icmp_->set_ports(port_v4_, port_v6_);
  announce_relays();
  if (connected) connect();
}

NodeReport LabNode::report() {
  NodeReport report{.role = options_.role,
                    .id = rendezvous_.own(options_.role).id,
                    .public_key = crypto::public_key(private_key_),
                    .tun = tun_->name(),
                    .port_v4 = port_v4_,
                    .port_v6 = port_v6_,
                    .icmp_errors = icmp_ != nullptr,
                    .thread_mode = std::string(io::name_of(plane_.mode())),
                    .aead = std::string(crypto::name_of(aead_->backend())),
                    .now = {},
                    .connections = {},
                    .relays = {},
                    .counters = {}};
  plane_.run([&](packet::Engine&, Now now, packet::Output&) {
    report.now = now.boot;
    report.connections = node_.status();
    report.relays = node_.relays(now);
  });
  const auto add = [&](const auto& counters) {
    counters.for_each([&](std::string_view name, std::uint64_t value) { report.counters[std::string(name)] += value; });
  };
  add(node_.counters());
  add(node_.ice_counters());
  add(node_.turn_counters());
  add(node_.device().counters());
  add(plane_.loop_counters());
  add(tun_->read_counters());
  add(tun_->write_counters());
  for (const auto family : {Family::v4, Family::v6}) {
    if (const io::UdpPort* port = plane_.port(family)) {
      add(port->receive_counters());
      add(port->send_counters());
    }
  }
  return report;
}

// Empty, or the sentence that says why no family has a socket. The old sockets go first: their port is wanted again.
std::string LabNode::bind() {
  plane_.set_ports(nullptr, nullptr);
  auto v4 = open_socket(Family::v4, options_);
  auto v6 = open_socket(Family::v6, options_);
  if (!v4 && !v6) return v4.error().to_string();
  port_v4_ = v4 ? (*v4)->port() : std::uint16_t{0};
  port_v6_ = v6 ? (*v6)->port() : std::uint16_t{0};
  plane_.set_ports(v4 ? std::move(*v4) : nullptr, v6 ? std::move(*v6) : nullptr);
  plane_.run([&](packet::Engine&, Now, packet::Output&) { node_.set_ports(port_v4_, port_v6_); });
  return {};
}

void LabNode::announce_relays() {
  const auto& relays = rendezvous_.relays[static_cast<std::size_t>(options_.role)];
  plane_.run([&](packet::Engine&, Now now, packet::Output& output) { node_.update_relays(now, {}, relays, output); });
}

void LabNode::upsert(const Intent& intent) {
  const bool client = options_.role == node::NodeRole::client;
  const auto& other = rendezvous_.other(options_.role);
  const node::ConnectionParameters parameters{
      .id = other.id,
      .peer_key = client ? crypto::public_key(other.private_key) : intent.client_key,
      .preshared_key = rendezvous_.preshared_key,
      .local = client ? intent.client : intent.gateway,
      .remote = client ? intent.gateway : intent.client,
      .allowed_ips = other.allowed_ips()};
  node::UpsertOutcome outcome{};
  plane_.run(
      [&](packet::Engine&, Now now, packet::Output& output) { outcome = node_.upsert(now, parameters, output); });
  if (outcome == node::UpsertOutcome::no_relays) {
    spdlog::warn("no relay: the connection waits for one");
    lost("no relay");
  }
}

void LabNode::on_record(const Record& record) {
  const auto& peer = rendezvous_.other(options_.role).id;
  if (record.connect && options_.role == node::NodeRole::gateway) {
    session_ = record.session;
    upsert(*record.connect);
  }
  if (record.session != session_) return;  // of an earlier connection
  plane_.run([&](packet::Engine&, Now now, packet::Output& output) {
    if (!record.candidates.empty()) node_.add_remote_candidates(now, peer, record.candidates, output);
    if (!record.invalidated.empty()) node_.invalidate_remote_candidates(now, peer, record.invalidated, output);
  });
}

void LabNode::on_events() {
  eventfd_t ignored = 0;
  eventfd_read(engine_.event_fd(), &ignored);
  std::deque<node::NodeEvent> events;
  plane_.run([&](packet::Engine&, Now, packet::Output&) { events = engine_.take(); });
  for (const auto& event : events) on_event(event);
}

void LabNode::on_event(const node::NodeEvent& event) {
  using Kind = node::NodeEvent::Kind;
  switch (event.kind) {
    case Kind::established:
      spdlog::info("{}: established", event.connection);
      break;
    case Kind::path_changed:
      spdlog::info("{}: path {}{}{}: {} to {}", event.connection, node::name_of(event.path.kind),
                   event.path.relay.empty() ? "" : " through ", event.path.relay, event.path.source.to_string(),
                   event.path.destination.to_string());
      break;
    case Kind::candidates_gathered:
      exchange_->write({.session = session_, .connect = {}, .candidates = event.candidates, .invalidated = {}});
      break;
    case Kind::candidates_invalidated:
      exchange_->write({.session = session_, .connect = {}, .candidates = {}, .invalidated = event.candidates});
      break;
    case Kind::failed:
      spdlog::warn("{}: failed: {}", event.connection, node::name_of(event.reason));
      lost("failed");
      break;
    case Kind::closed:
      spdlog::info("{}: closed", event.connection);
      lost("closed");
      break;
    case Kind::no_relays_left:
      spdlog::warn("no relay is left");
      loop_.cancel(relays_again_);
      relays_again_ = loop_.after(kRelaysAfter, [this] { announce_relays(); });
      break;
  }
}

// A client that connects by itself does so again; a session that was given up has no intent.
void LabNode::lost(std::string_view why) {
  if (options_.role == node::NodeRole::gateway || options_.on_demand || session_.empty()) return;
  session_.clear();
  spdlog::info("connecting again: {}", why);
  loop_.cancel(again_);
  again_ = loop_.at(last_intent_ + kIntentInterval, [this] { connect(); });
}

void LabNode::on_unreachable(const Endpoint& destination) {
  spdlog::debug("ICMP says that {} cannot be reached", destination.to_string());
  plane_.run(
      [&](packet::Engine&, Now now, packet::Output& output) { node_.handle_unreachable(now, destination, output); });
}

}  // namespace fireline::lab
