#include "tests/sim/world.h"

#include <algorithm>
#include <utility>

#include "tests/sim/clock.h"

namespace fireline::sim {
namespace {

using namespace std::chrono_literals;

IpAddress v4(unsigned a, unsigned b, unsigned c, unsigned d) {
  const std::byte bytes[] = {std::byte(a), std::byte(b), std::byte(c), std::byte(d)};
  return IpAddress::from_bytes(bytes);
}

IpAddress v6(std::size_t site, unsigned host) {
  return *IpAddress::parse("2001:db8:" + std::to_string(site + 1) + "::" + std::to_string(host));
}

IpAddress inner_address(bool client, std::size_t index) {
  return client ? v4(100, 64, 0, static_cast<unsigned>(index + 1)) : v4(10, 77, static_cast<unsigned>(index + 1), 1);
}

}  // namespace

World::World(const Scenario& scenario, std::function<void(const std::string&)> trace)
    : scenario_(scenario),
      trace_(std::move(trace)),
      network_(queue_, Dice(scenario.seed, "network")),
      dice_(scenario.seed, "world"),
      portal_(queue_, network_, Dice(scenario.seed, "portal"), [this] { disturb(); }) {
  build();
  schedule();
}

World::~World() = default;

RunResult World::run() {
  RunResult result;
  try {
    const Instant end = kBootStart + scenario_.length;
    while (queue_.now() < end && !queue_.empty()) step();
    for (const auto& node : nodes_) node->stop(false);
  } catch (const Violation& violation) {
    result.violation = violation;
  }
  statistics_.simulated = queue_.now() - kBootStart;
  statistics_.datagrams = network_.sent();
  for (const Pair& pair : pairs_) {
    statistics_.payloads_sent += pair.up.sent() + pair.down.sent();
    statistics_.payloads_delivered += pair.up.delivered() + pair.down.delivered();
  }
  result.statistics = statistics_;
  return result;
}

void World::build() {
  network_.on_parted([this](const Train& train, Duration dead) { check_dead_path(train, dead); });
  for (std::size_t i = 0; i < scenario_.sites.size(); ++i) {
    const SiteSpec& site = scenario_.sites[i];
    network_.add_site({site.nat4, v4(192, 0, 2, static_cast<unsigned>(i + 1)), site.firewall6, site.up, site.down});
  }
  for (std::size_t i = 0; i < scenario_.relays.size(); ++i) {
    const LinkOptions line{.delay = 2ms};
    const std::size_t site = network_.add_site({.nat4 = {}, .public4 = {}, .firewall6 = {}, .up = line, .down = line});
    std::optional<IpAddress> address6;
    if (scenario_.relays[i].v6) address6 = v6(100 + i, 1);
    relays_.push_back(std::make_unique<RelayHost>(queue_, network_, "relay" + std::to_string(i), site,
                                                  v4(203, 0, 113, static_cast<unsigned>(i + 1)), address6,
                                                  Dice(scenario_.seed, "relay" + std::to_string(i))));
    portal_.add_relay(*relays_.back());
  }
  const auto add = [&](bool client, std::size_t index, std::size_t site) {
    const std::string name = (client ? "client" : "gateway") + std::to_string(index);
    nodes_.push_back(std::make_unique<SimNode>(queue_, network_, *this, name,
                                               client ? node::NodeRole::client : node::NodeRole::gateway,
                                               Dice(scenario_.seed, name)));
    if (trace_) nodes_.back()->trace = [this](const std::string& line) { log(line); };
    place_of_.push_back(site);
    place(nodes_.size() - 1, site);
    portal_.add_node(*nodes_.back(), *Prefix::make(inner_address(client, index), 32));
  };
  for (std::size_t i = 0; i < scenario_.clients.size(); ++i) add(true, i, scenario_.clients[i]);
  for (std::size_t i = 0; i < scenario_.gateways.size(); ++i) add(false, i, scenario_.gateways[i]);
  without_relay_since_.resize(nodes_.size(), Instant::max());
  awake_since_.resize(nodes_.size(), kBootStart);
  for (std::size_t i = 0; i < scenario_.pairs.size(); ++i) {
    const PairSpec& spec = scenario_.pairs[i];
    const IpAddress client = inner_address(true, spec.client), gateway = inner_address(false, spec.gateway);
    const auto flow = static_cast<std::uint32_t>(2 * i);
    pairs_.push_back({.client = spec.client,
                      .gateway = scenario_.clients.size() + spec.gateway,
                      .up = InnerFlow(flow, client, gateway),
                      .down = InnerFlow(flow + 1, gateway, client),
                      .wanted_since = {},
                      .recovering_since = {}});
  }
}

void World::schedule() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    queue_.after(dice_.between(Duration::zero(), Duration(500ms)), [this, i] {
      const crypto::Key key = new_key();
      nodes_[i]->start(key);
      portal_.log_in(i, key);
    });
  }
  for (std::size_t i = 0; i < scenario_.pairs.size(); ++i) {
    for (const Talk& talk : scenario_.pairs[i].talks) {
      queue_.after(talk.start, [this, i, &talk] { tick(i, talk, queue_.now() + talk.length); });
    }
  }
  for (const Action& action : scenario_.actions) {
    queue_.after(action.time, [this, &action] { act(action); });
  }
  queue_.after(1s, [this] { watch(); });
}

void World::step() {
  Instant first = queue_.next();
  SimNode* node = nullptr;
  RelayHost* relay = nullptr;
  for (const auto& each : nodes_) {
    const auto time = each->poll_timeout();
    if (time && *time <= first) first = *time, node = each.get();
  }
  for (const auto& each : relays_) {
    const auto time = each->poll_timeout();
    if (time && *time < first) first = *time, node = nullptr, relay = each.get();
  }
  if (node == nullptr && relay == nullptr) return queue_.run_next();
  queue_.advance_to(first);
  node != nullptr ? node->handle_timeout() : relay->handle_timeout();
}

void World::place(std::size_t node, std::size_t site) {
  const SiteSpec& spec = scenario_.sites[site];
  const unsigned host = next_address_++ % 250 + 1;
  std::optional<IpAddress> address4, address6;
  if (spec.v4) {
    address4 = spec.nat4 ? v4(10, 0, spec.inner_network, host) : v4(198, 51, static_cast<unsigned>(site), host);
  }
  if (spec.v6) address6 = v6(site, host);
  place_of_[node] = site;
  network_.attach(nodes_[node]->host(), site, address4, address6);
}

void World::deliver(SimNode& node, ConstBytes packet, std::uint64_t datagram) {
  const auto inner = InnerPacket::parse(packet);
  if (!inner) fail("payload", node.name() + " got a packet that nobody sent");
  const std::size_t index = inner->flow / 2;
  if (index >= pairs_.size()) fail("payload", node.name() + " got a packet of a flow that there is not");
  Pair& pair = pairs_[index];
  const bool up = inner->flow % 2 == 0;
  if (nodes_[up ? pair.gateway : pair.client].get() != &node) {
    fail("payload", node.name() + " got a packet of flow " + std::to_string(inner->flow) + ", which is another's");
  }
  InnerFlow& flow = up ? pair.up : pair.down;
  const auto wrong = flow.accept(queue_.now(), *inner, packet, datagram);
  if (wrong) fail(wrong->find(" left ") != std::string::npos ? "order" : "payload", *wrong);
  note_recovery(pair);
}

void World::handle_event(SimNode& node, const node::NodeEvent& event) {
  using Kind = node::NodeEvent::Kind;
  if (trace_) {
    static constexpr std::string_view kNames[] = {"established", "failed",    "closed",        "path changed",
                                                  "candidates",  "withdrawn", "no relays left"};
    std::string text =
        node.name() + ": " + std::string(kNames[static_cast<std::size_t>(event.kind)]) + " " + event.connection;
    if (event.kind == Kind::failed) text += ", " + std::string(name_of(event.reason));
    if (event.kind == Kind::path_changed) {
      text += ", " + std::string(name_of(event.path.kind)) + " " + event.path.source.to_string() + " to " +
              event.path.destination.to_string() + " " + event.path.relay;
    }
    for (const std::string& candidate : event.candidates) text += "\n      " + candidate;
    log(text);
  }
  if (event.kind == Kind::established) ++statistics_.connections;
  portal_.handle_event(index_of(node), event);
}

std::size_t World::index_of(const SimNode& node) const {
  const auto is_it = [&](const auto& each) { return each.get() == &node; };
  return static_cast<std::size_t>(std::ranges::find_if(nodes_, is_it) - nodes_.begin());
}

void World::disturb(Duration length) {
  calm_since_ = std::max(calm_since_, queue_.now() + length);
  portal_.set_calm_since(calm_since_);
  for (Pair& pair : pairs_) pair.recovering_since.reset();
}

void World::fail(const std::string& invariant, const std::string& text) const {
  throw Violation{invariant, text, queue_.now()};
}

void World::log(const std::string& text) const {
  if (!trace_) return;
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(queue_.now() - kBootStart).count();
  trace_(std::to_string(elapsed / 1000) + "." + std::to_string(1000 + elapsed % 1000).substr(1) + "  " + text);
}

}  // namespace fireline::sim
