#include "tools/node/lab_node.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/crypto/x25519.h"
#include "io/huge_memory.h"
#include "io/loop_thread.h"
#include "tools/tunnel/counters.h"

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

}  // namespace

Result<std::unique_ptr<LabNode>, std::string> LabNode::start(const Options& options, const Rendezvous& rendezvous,
                                                             io::EventLoop& loop,
                                                             std::move_only_function<void(std::string)> failed) {
  std::unique_ptr<LabNode> self(new LabNode(options, rendezvous, loop));
  auto tunnel = tunnel::Tunnel<node::Node>::open(
      self->tunnel_options_, loop, [&self](tunnel::Devices& devices) { return self->make_node(devices); },
      {.event = [node = self.get()](const node::NodeEvent& event) { node->on_event(event); },
       .failed = std::move(failed)});
  if (!tunnel) return err(std::move(tunnel.error()));
  self->tunnel_ = std::move(*tunnel);
  auto exchange = Exchange::open(loop, options.rendezvous + ".d", options.role,
                                 [node = self.get()](const Record& record) { node->on_record(record); });
  if (!exchange) return err(std::move(exchange.error()));
  self->exchange_ = std::move(*exchange);
  self->tunnel_->start();
  self->announce_relays();
  return self;
}

LabNode::LabNode(const Options& options, const Rendezvous& rendezvous, io::EventLoop& loop)
    : options_(options),
      rendezvous_(rendezvous),
      loop_(loop),
      private_key_(rendezvous_.own(options_.role).private_key),
      tunnel_options_{.tun = options.tun,
                      .mtu = options.mtu,
                      .port = options.port,
                      .mark = options.fwmark,
                      .threads = options.threads,
                      .udp_io = options.udp_io} {}

LabNode::~LabNode() {
  if (!session_.empty()) close();
  for (const auto timer : {again_, relays_again_}) loop_.cancel(timer);
}

std::unique_ptr<node::Node> LabNode::make_node(tunnel::Devices& devices) {
  const node::NodeOptions node{
      .role = options_.role, .mtu = options_.mtu, .tun_offloads = devices.merging(), .memory = io::huge_memory()};
  return std::make_unique<node::Node>(node, private_key_, io::read_clocks(), devices.trains, devices.packets,
                                      devices.random, *devices.aead);
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
  loop_.cancel(again_);  // it may have failed just now
  session_.clear();
  with_node([](node::Node& node, Now now, packet::Output& output) { node.close_all(now, output); });
}

void LabNode::reset() {
  spdlog::info("network reset: new key, new sockets");
  const bool connected = !session_.empty();
  session_.clear();
  private_key_ = crypto::generate_private_key(random_);
  // That its connections are closed is known.
  tunnel_->run_and_forget_events(
      [this](node::Node& node, Now now, packet::Output& output) { node.reset(now, private_key_, output); });
  if (const auto wrong = tunnel_->rebind(); !wrong.empty()) spdlog::error("{}", wrong);
  announce_relays();
  if (connected) connect();
}

NodeReport LabNode::report() {
  const auto& devices = tunnel_->devices();
  auto& plane = tunnel_->path().plane();
  NodeReport report{.role = options_.role,
                    .id = rendezvous_.own(options_.role).id,
                    .public_key = crypto::public_key(private_key_),
                    .tun = devices.tun->name(),
                    .port_v4 = tunnel_->path().ports().v4,
                    .port_v6 = tunnel_->path().ports().v6,
                    .icmp_errors = tunnel_->path().hears_icmp(),
                    .thread_mode = std::string(io::name_of(plane.mode())),
                    .udp_io = std::string(plane.udp_backend()),
                    .aead = std::string(crypto::name_of(devices.aead->backend())),
                    .now = {},
                    .connections = {},
                    .relays = {},
                    .counters = {}};
  with_node([&](node::Node& node, Now now, packet::Output&) {
    report.now = now.boot;
    report.connections = node.status();
    report.relays = node.relays(now);
  });
  tunnel::add_counters(tunnel_->core(), report.counters);
  tunnel::add_counters(tunnel_->path(), devices, report.counters);
  return report;
}

void LabNode::announce_relays() {
  const auto& relays = rendezvous_.relays[static_cast<std::size_t>(options_.role)];
  with_node([&](node::Node& node, Now now, packet::Output& output) { node.update_relays(now, {}, relays, output); });
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
  with_node([&](node::Node& node, Now now, packet::Output& output) { outcome = node.upsert(now, parameters, output); });
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
  with_node([&](node::Node& node, Now now, packet::Output& output) {
    if (!record.candidates.empty()) node.add_remote_candidates(now, peer, record.candidates, output);
    if (!record.invalidated.empty()) node.invalidate_remote_candidates(now, peer, record.invalidated, output);
  });
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

}  // namespace fireline::lab
