#include "tests/unit/core/node/station.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "tests/unit/core/packet/packets.h"

namespace fireline::node {

Station::Station(sim::EventQueue& queue, sim::Network& network, std::size_t site, std::optional<IpAddress> v4,
                 std::optional<IpAddress> v6, std::uint64_t seed)
    : host(network.add_host(*this)),
      random(seed),
      aead(crypto::make_aead(crypto::AeadBackend::libsodium)),
      queue_(queue),
      network_(network) {
  network_.attach(host, site, v4, v6);
}

void Station::run(std::unique_ptr<packet::Engine> engine, std::function<void()> drain) {
  stop();
  engine_ = std::move(engine);
  work_ = engine_->make_work();
  drain_ = std::move(drain);
}

void Station::stop() {
  output = {};
  work_.reset();
  engine_.reset();
}

void Station::send(const wireguard::Packets& packets) {
  packet::TunBatch batch = wireguard::Node::tun_batch(input, packets);
  engine_->plan(now(), batch, *work_);
  aead->seal(work_->jobs);
  commit();
}

std::optional<Instant> Station::poll_timeout() const {
  return engine_ ? engine_->poll_timeout() : std::nullopt;
}

void Station::handle_timeout() {
  engine_->handle_timeout(now(), output);
  collect();
}

bool Station::is_open(const Endpoint& destination) const {
  return engine_ != nullptr && destination.port == kStationPort;
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
  engine_->plan(now(), batch, *work_);
  aead->open(work_->jobs);
  commit();
}

void Station::unreachable(const Endpoint& destination) {
  if (engine_ && on_unreachable) on_unreachable(destination);
}

void Station::commit() {
  if (before_commit) before_commit(*work_);
  engine_->commit(now(), *work_, output);
  collect();
}

void Station::collect() {
  while (engine_->step_handshake(now(), output)) {
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
    const auto own = network_.address(host, out.destination.address.family());
    train.source = {.address = out.local.address.is_unspecified() && own ? *own : out.local.address,
                    .port = kStationPort};
    train.destination = out.destination;
    for (std::size_t at = 0; at < out.bytes.size(); at += out.segment_bytes) {
      train.append(out.bytes.subspan(at, std::min<std::size_t>(out.segment_bytes, out.bytes.size() - at)), 0);
    }
    if (on_send) on_send(train);
    network_.send(host, std::move(train));
  }
  batch.clear();
}

}  // namespace fireline::node
