#include "tests/sim/sim_node.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

#include "core/stun/channel_data.h"
#include "tests/sim/violation.h"
#include "tests/unit/core/packet/packets.h"

namespace fireline::sim {
namespace {

// 24 MiB in a real node; fewer here, so that a leak shows early. No large buffer outlives a turn.
constexpr std::size_t kLargeBuffersMax = 64;
constexpr std::size_t kSmallBuffersMax = 4096;
// A batch may wait between plan and commit in so many of a thousand turns, and for at most this long.
constexpr unsigned kDeferPerMille = 150;
constexpr Duration kDeferMax = std::chrono::milliseconds(2);
// Timer runs at one instant: each of a node's parts may want one of its own, and initiations are sent one by one.
constexpr unsigned kTimerRunsMax = 64;
constexpr unsigned kHandshakeStepsMax = 1000;
constexpr std::size_t kTransportBytes = 32;  // WireGuard's header and tag

// Whether a datagram is data of so many bytes: in a channel of a relay (true) or bare (false). Empty: something else.
std::optional<bool> carries(ConstBytes datagram, std::size_t message_bytes) {
  constexpr std::uint32_t kTransportData = 4;
  if (datagram.size() == message_bytes && load_le32(datagram, 0) == kTransportData) return false;
  if (datagram.size() != message_bytes + stun::kChannelHeaderBytes) return std::nullopt;
  const bool channel = stun::ChannelDataView::parse(datagram).has_value();
  if (channel && load_le32(datagram, stun::kChannelHeaderBytes) == kTransportData) return true;
  return std::nullopt;
}

std::uint64_t drops(const node::Node& node, std::string_view prefix) {
  std::uint64_t total = 0;
  node.device().counters().for_each([&](std::string_view name, std::uint64_t value) {
    if (name.starts_with(prefix)) total += value;
  });
  return total;
}

}  // namespace

SimNode::SimNode(EventQueue& queue, Network& network, NodeOwner& owner, std::string name, node::NodeRole role,
                 Dice dice)
    : queue_(queue),
      network_(network),
      owner_(owner),
      name_(std::move(name)),
      role_(role),
      dice_(dice),
      host_(network.add_host(*this)),
      large_(packet::kLargeBufferBytes, kLargeBuffersMax),
      small_(packet::kSmallBufferBytes, kSmallBuffersMax),
      input_(packet::kLargeBufferBytes, kLargeBuffersMax),
      tun_input_(packet::kSmallBufferBytes, kSmallBuffersMax),
      aead_(crypto::make_aead(crypto::AeadBackend::openssl)) {}

void SimNode::start(const crypto::Key& private_key) {
  stop(false);
  node::NodeOptions options;
  options.role = role_;
  options.port_v4 = options.port_v6 = kNodePort;
  node_ = std::make_unique<node::Node>(options, private_key, now(), large_, small_, dice_, *aead_);
  settle();
}

void SimNode::stop(bool goodbye) {
  if (!node_) return;
  if (goodbye) {
    node_->close_all(now(), output_);
    settle();
  }
  ++life_;
  planned_.clear();
  spare_works_.clear();
  node_.reset();
  output_ = {};
  if (large_.out() + small_.out() + input_.out() + tun_input_.out() != 0) {
    fail("memory", "buffers are still out after the node is gone");
  }
}

void SimNode::set_suspended(bool suspended) {
  suspended_ = suspended;
  network_.set_powered(host_, !suspended);
}

void SimNode::update_relays(const std::vector<std::string>& removed, const std::vector<turn::RelayEntry>& connected) {
  node_->update_relays(now(), removed, connected, output_);
  settle();
}

node::UpsertOutcome SimNode::upsert(const node::ConnectionParameters& parameters) {
  const node::UpsertOutcome outcome = node_->upsert(now(), parameters, output_);
  settle();
  return outcome;
}

void SimNode::add_remote_candidates(const std::string& id, const std::vector<std::string>& candidates) {
  node_->add_remote_candidates(now(), id, candidates, output_);
  settle();
}

void SimNode::invalidate_remote_candidates(const std::string& id, const std::vector<std::string>& candidates) {
  node_->invalidate_remote_candidates(now(), id, candidates, output_);
  settle();
}

void SimNode::close(const std::string& id) {
  node_->close(now(), id, output_);
  settle();
}

void SimNode::reset(const crypto::Key& private_key) {
  node_->reset(now(), private_key, output_);
  settle();
}

void SimNode::resume() {
  node_->resume(now(), output_);
  settle();
}

void SimNode::send_packets(const std::string& id, const std::vector<std::vector<std::byte>>& packets) {
  packet::TunBatch batch;
  for (const auto& packet : packets) {
    packet::Buffer buffer = tun_input_.acquire();
    std::ranges::copy(packet, buffer.data());
    batch.packets.push_back({.bytes = buffer.bytes().first(packet.size()), .offload = {}});
    batch.buffers.push_back(std::move(buffer));
  }
  Planned planned{.work = take_work(), .path = {}};
  const auto status = connection(id);
  const bool expects = planned_.empty() && node_->device().gauges().queued_packets == 0 && status && status->path &&
                       !status->path_suspended;
  if (expects) {
    planned.path = status->path;
    planned.message_bytes = packets.front().size() + kTransportBytes;
  }
  node_->plan(now(), batch, *planned.work);
  plan_or_commit(std::move(planned));
}

void SimNode::receive(const Train& train) {
  packet::UdpBatch batch;
  packet::Buffer buffer = input_.acquire();
  std::ranges::copy(train.bytes, buffer.data());
  batch.datagrams.push_back({.bytes = buffer.bytes().first(train.bytes.size()),
                             .segment_bytes = train.segment_bytes,
                             .ecn = train.ecn,
                             .source = train.source,
                             .local = {train.destination.address, 0}});
  batch.buffers.push_back(std::move(buffer));
  Planned planned{.work = take_work(), .datagrams = train.numbers, .path = {}};
  node_->plan(now(), batch, *planned.work);
  plan_or_commit(std::move(planned));
}

bool SimNode::is_open(const Endpoint& destination) const {
  return node_ != nullptr && destination.port == kNodePort;
}

void SimNode::unreachable(const Endpoint& destination) {
  if (!node_ || suspended_) return;
  node_->handle_unreachable(now(), destination, output_);
  settle();
}

std::optional<Instant> SimNode::poll_timeout() const {
  return node_ && !suspended_ ? node_->poll_timeout() : std::nullopt;
}

void SimNode::handle_timeout() {
  if (busy_since_ == queue_.now()) {
    if (++busy_turns_ > kTimerRunsMax) {
      fail("busy timer", std::to_string(kTimerRunsMax) + " timer runs at one instant, and it asks for another one");
    }
  } else {
    busy_since_ = queue_.now();
    busy_turns_ = 0;
  }
  node_->handle_timeout(now(), output_);
  settle();
}

std::optional<node::ConnectionStatus> SimNode::connection(const std::string& id) const {
  if (!node_) return std::nullopt;
  for (auto& status : node_->status()) {
    if (status.id == id) return std::move(status);
  }
  return std::nullopt;
}

std::unique_ptr<packet::Work> SimNode::take_work() {
  if (spare_works_.empty()) return node_->make_work();
  auto work = std::move(spare_works_.back());
  spare_works_.pop_back();
  return work;
}

void SimNode::plan_or_commit(Planned planned) {
  const bool first = planned_.empty();
  planned_.push_back(std::move(planned));
  if (!dice_.chance(kDeferPerMille)) return commit_all();
  if (!first) return;
  queue_.after(dice_.between(Duration::zero(), kDeferMax), [this, life = life_] {
    if (life == life_) commit_all();
  });
}

void SimNode::commit_all() {
  while (!planned_.empty()) {
    Planned planned = std::move(planned_.front());
    planned_.pop_front();
    commit(planned);
  }
}

void SimNode::commit(Planned& planned) {
  packet::Work& work = *planned.work;
  work.kind == packet::Work::Kind::seal ? aead_->seal(work.jobs) : aead_->open(work.jobs);
  node_->commit(now(), work, output_);
  spare_works_.push_back(std::move(planned.work));
  settle(planned.datagrams, planned.path ? &planned : nullptr);
}

void SimNode::settle(std::span<const std::uint64_t> datagrams, const Planned* expectation) {
  send(output_.udp4, expectation);
  send(output_.udp6, expectation);
  write_tun(datagrams);
  for (unsigned i = 0; node_->step_handshake(now(), output_); ++i) {
    if (i == kHandshakeStepsMax) fail("busy timer", "handshake steps without an end");
    send(output_.udp4, nullptr);
    send(output_.udp6, nullptr);
    write_tun({});
  }
  send(output_.udp4, nullptr);
  send(output_.udp6, nullptr);
  write_tun({});
  while (const auto event = node_->poll_event()) owner_.handle_event(*this, *event);
}

void SimNode::send(packet::UdpSendBatch& batch, const Planned* expectation) {
  std::size_t trains = 0, messages = 0;
  for (const packet::UdpTrain& out : batch.trains) {
    const std::size_t limit = out.destination.address.is_v4() ? packet::kTrainBytesV4 : packet::kTrainBytesV6;
    if (out.segment_bytes == 0 || out.bytes.empty() || out.bytes.size() > limit) fail("train", "of an impossible size");
    Train train;
    train.ecn = out.ecn;
    train.source = {out.local.address, kNodePort};
    if (out.local.address.family() != out.destination.address.family()) train.source.address = IpAddress();
    train.destination = out.destination;
    train.segment_bytes = out.segment_bytes;
    train.bytes.assign(out.bytes.begin(), out.bytes.end());
    train.numbers.resize((out.bytes.size() + out.segment_bytes - 1) / out.segment_bytes);
    std::iota(train.numbers.begin(), train.numbers.end(), next_datagram_);
    next_datagram_ += train.count();
    if (train.count() > packet::kTrainSegments) fail("train", "of too many datagrams");
    if (expectation != nullptr) {
      if (const auto relayed = carries(train.datagram(0), expectation->message_bytes)) {
        check_path(out, *expectation, *relayed);
        ++trains;
        messages += train.count();
      }
    }
    if (trace) {
      trace(name_ + " sends " + std::to_string(train.count()) + " x " + std::to_string(train.segment_bytes) + " to " +
            train.destination.to_string());
    }
    network_.send(host_, std::move(train));
  }
  batch.clear();
  if (expectation != nullptr && messages > 1) {
    const std::size_t bytes = messages * (expectation->message_bytes + stun::kChannelHeaderBytes);
    const std::size_t needed = std::max((messages + packet::kTrainSegments - 1) / packet::kTrainSegments,
                                        (bytes + packet::kTrainBytesV6 - 1) / packet::kTrainBytesV6);
    if (trains > needed) {
      fail("train", std::to_string(messages) + " packets of one batch left in " + std::to_string(trains) + " trains");
    }
  }
}

// A train takes the path that held when it was planned.
void SimNode::check_path(const packet::UdpTrain& train, const Planned& expectation, bool relayed) const {
  const node::PathState& path = *expectation.path;
  const std::string what = "data planned for " + path.source.to_string() + " to " + path.destination.to_string();
  if (relayed == path.relay.empty()) fail("path", what + (relayed ? " left through a relay" : " left without a relay"));
  if (!relayed) {
    if (train.destination == path.destination && train.local.address == path.source.address) return;
    fail("path", what + " left for " + train.destination.to_string());
  }
  const std::uint16_t channel = load_be16(train.bytes, 0);
  if (train.destination.port != 3478 || (path.channel != 0 && channel != path.channel)) {
    fail("path", what + " left for " + train.destination.to_string() + " on channel " + std::to_string(channel));
  }
}

void SimNode::write_tun(std::span<const std::uint64_t> datagrams) {
  if (output_.tun.empty()) return;
  packet::TunWriteBatch batch = std::exchange(output_.tun, {});
  std::vector<std::vector<std::byte>> packets;
  for (const packet::TunWrite& write : batch.packets) {
    auto cut = packet::test::cut(batch, write);
    if (!cut) fail("tun", "a packet that the kernel would refuse");
    std::ranges::move(*cut, std::back_inserter(packets));
  }
  // Where a datagram was dropped it is not known which packet came in which one.
  const bool known = packets.size() == datagrams.size();
  for (std::size_t i = 0; i < packets.size(); ++i) owner_.deliver(*this, packets[i], known ? datagrams[i] : 0);
}

void SimNode::check_at_rest() const {
  if (!node_ || !planned_.empty()) return;
  const auto& device = node_->device();
  const auto count = [&](wireguard::DeviceCounter counter) { return device.counters().get(counter); };
  using enum wireguard::DeviceCounter;
  const auto gauges = device.gauges();
  if (count(tun_segments) != count(sealed) + gauges.queued_packets + drops(*node_, "drop.tun")) {
    fail("ledger", "packets from the TUN are not accounted for");
  }
  const std::uint64_t opened_or_handshakes = count(opened) + count(keepalives) + count(initiations) + count(responses) +
                                             count(cookie_replies) + count(goodbyes) + gauges.queued_handshakes;
  if (count(udp_datagrams) != opened_or_handshakes + drops(*node_, "drop.udp")) {
    fail("ledger", "datagrams are not accounted for by the device");
  }
  using Node = node::NodeCounter;
  const auto of_node = [&](Node counter) { return node_->counters().get(counter); };
  const std::uint64_t ended = of_node(Node::to_device) + of_node(Node::to_agents) + of_node(Node::to_relays) +
                              of_node(Node::drop_datagram_stun_unaddressed) +
                              of_node(Node::drop_datagram_stun_unknown) + of_node(Node::drop_datagram_stun_straggler) +
                              of_node(Node::drop_datagram_stun_unproven);
  if (of_node(Node::datagrams) != ended) fail("ledger", "datagrams are not accounted for by the node");
  if (of_node(Node::to_device) != count(udp_datagrams)) fail("ledger", "the device did not get what the node gave it");
  if (of_node(Node::lost_events) != 0) fail("memory", "events were lost");
  if (large_.out() + input_.out() + tun_input_.out() != 0) fail("memory", "a buffer outlived its turn");
  if (small_.out() > gauges.queued_packets + 16) {
    fail("memory", std::to_string(small_.out()) + " small buffers are out, " + std::to_string(gauges.queued_packets) +
                       " packets wait");
  }
}

void SimNode::fail(const std::string& invariant, const std::string& text) const {
  throw Violation{invariant, name_ + ": " + text, queue_.now()};
}

}  // namespace fireline::sim
