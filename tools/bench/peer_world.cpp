#include "tools/bench/peer_world.h"

#include <algorithm>
#include <utility>

#include "core/crypto/x25519.h"
#include "io/huge_memory.h"
#include "tools/bench/inner_packet.h"
#include "tools/bench/node_addresses.h"
#include "tools/bench/process.h"
#include "tools/bench/thread_cost.h"

namespace fireline::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 51820;
constexpr std::uint32_t kPeers = 0x0A000000, kDevice = 0xC0000201;
constexpr UnixTime kWallStart{1'790'000'000s};
constexpr std::size_t kLargeLimitBytes = 64 * packet::kLargeBufferBytes;
constexpr std::size_t kSmallLimitBytes = 8192 * packet::kSmallBufferBytes;
// So that 10,000 sessions are made long before the first is old.
constexpr Duration kBetweenHandshakes = 1ms;
constexpr std::size_t kFirstPacketBytes = 64;

wireguard::PeerUpdate peer_update(const crypto::PublicKey& key, const Endpoint& endpoint, const crypto::Key& preshared,
                                  std::uint32_t inner) {
  wireguard::PeerUpdate update;
  update.public_key = key;
  update.endpoint = endpoint;
  update.preshared_key = preshared;
  update.allowed_ips = {{*Prefix::make(address4(inner), 32), false}};
  return update;
}

}  // namespace

struct PeerWorld::Party {
  Endpoint address;
  std::uint32_t inner = 0;
  crypto::Key private_key;
  crypto::PublicKey public_key;
  std::unique_ptr<wireguard::Device> device;
  std::unique_ptr<packet::Work> work;
  packet::Output output;
};

PeerWorld::PeerWorld()
    : now_(1000s),
      aead_(crypto::make_aead(
          crypto::fastest_aead_backend([] { return static_cast<std::uint64_t>(thread_nanoseconds()); }))),
      clock_nanoseconds_(clock_cost()),
      large_("bench.large", packet::kLargeBufferBytes, kLargeLimitBytes),
      small_("bench.small", packet::kSmallBufferBytes, kSmallLimitBytes),
      preshared_key_(crypto::generate_private_key(random_)) {
  large_.adopt(nullptr);
  small_.adopt(nullptr);
  device_ = make_party({address4(kDevice), kPort}, kTunnelOfGateway);
  start_device(*device_);
}

PeerWorld::~PeerWorld() {
  device_.reset();
  peers_.clear();
}

PeerWorld::Cost PeerWorld::configure(std::size_t peers) {
  wireguard::DeviceUpdate update;
  for (std::size_t i = 0; i < peers; ++i) {
    const auto number = static_cast<std::uint32_t>(i);
    auto party = make_party({address4(kPeers + number), kPort}, kTunnelOfClients + number);
    update.peers.push_back(peer_update(party->public_key, party->address, preshared_key_, party->inner));
    peers_.push_back(std::move(party));
  }
  const std::int64_t before = allocated_bytes();
  const double start = thread_nanoseconds();
  if (!device_->device->apply(now(), update, device_->output)) throw BenchError("the device has no room for the peers");
  const double nanoseconds = thread_nanoseconds() - start - clock_nanoseconds_;
  return {nanoseconds, static_cast<double>(allocated_bytes() - before) / static_cast<double>(peers)};
}

PeerWorld::Cost PeerWorld::connect() {
  take_cost();
  weighing_ = true;
  for (const auto& peer : peers_) {
    check_interrupt();
    now_ += kBetweenHandshakes;
    start_device(*peer);
    wireguard::DeviceUpdate known;
    known.peers.push_back(peer_update(device_->public_key, device_->address, preshared_key_, device_->inner));
    peer->device->apply(now(), known, peer->output);
    shake_hands(*peer);
  }
  weighing_ = false;
  Cost cost = take_cost();
  cost.bytes /= static_cast<double>(peers_.size());
  if (counted(wireguard::DeviceCounter::handshakes_completed) != peers_.size()) {
    throw BenchError("not every handshake came to its end");
  }
  return cost;
}

double PeerWorld::receive(std::size_t peer, std::size_t count, std::size_t bytes) {
  Party& from = *peers_[peer];
  now_ += 1us;
  auto batch = inner_packets(large_.acquire(), from.inner, device_->inner, count, bytes);
  run_turn(from, batch);
  const std::uint64_t before = counted(wireguard::DeviceCounter::opened);
  take_cost();
  carry(from, *device_);
  device_->output.tun.clear();
  if (counted(wireguard::DeviceCounter::opened) - before != count) throw BenchError("packets were lost on the way in");
  return take_cost().nanoseconds;
}

double PeerWorld::send(std::size_t peer, std::size_t count, std::size_t bytes) {
  now_ += 1us;
  auto batch = inner_packets(large_.acquire(), device_->inner, peers_[peer]->inner, count, bytes);
  const std::uint64_t before = counted(wireguard::DeviceCounter::sealed);
  take_cost();
  run_turn(*device_, batch);
  device_->output.udp4.clear();
  if (counted(wireguard::DeviceCounter::sealed) - before != count) throw BenchError("packets were lost on the way out");
  return take_cost().nanoseconds;
}

std::unique_ptr<PeerWorld::Party> PeerWorld::make_party(const Endpoint& address, std::uint32_t inner) {
  auto party = std::make_unique<Party>();
  party->address = address;
  party->inner = inner;
  party->private_key = crypto::generate_private_key(random_);
  party->public_key = crypto::public_key(party->private_key);
  return party;
}

Now PeerWorld::now() const noexcept {
  return {now_, kWallStart + now_.time_since_epoch()};
}

void PeerWorld::start_device(Party& party) {
  wireguard::DeviceOptions options{.profile = wireguard::kPaperProfile};
  if (&party == device_.get()) options.memory = io::huge_memory();
  party.device = std::make_unique<wireguard::Device>(options, now(), large_, small_, random_, *aead_);
  party.work = party.device->make_work();
  wireguard::DeviceUpdate own;
  own.private_key = party.private_key;
  party.device->apply(now(), own, party.output);
  party.device->set_up(now(), true, party.output);
}

void PeerWorld::shake_hands(Party& peer) {
  auto first = inner_packets(small_.acquire(), peer.inner, device_->inner, 1, kFirstPacketBytes);
  run_turn(peer, first);
  // Initiation, response, and the packet that waited.
  for (int i = 0; i < 3; ++i) {
    carry(peer, *device_);
    carry(*device_, peer);
  }
  device_->output.tun.clear();
}

void PeerWorld::carry(Party& from, Party& to) {
  packet::UdpBatch arriving;
  for (const packet::UdpTrain& train : from.output.udp4.trains) {
    packet::Buffer buffer = large_.acquire();
    std::ranges::copy(train.bytes, buffer.data());
    arriving.datagrams.push_back({.bytes = buffer.bytes().first(train.bytes.size()),
                                  .segment_bytes = train.segment_bytes,
                                  .ecn = train.ecn,
                                  .source = from.address,
                                  .local = {.address = train.destination.address, .interface = 0}});
    arriving.buffers.push_back(std::move(buffer));
  }
  from.output.udp4.clear();
  if (!arriving.empty()) run_turn(to, arriving);
}

template <class Batch>
void PeerWorld::run_turn(Party& party, Batch& batch) {
  const bool metered = &party == device_.get();
  const std::int64_t bytes = metered && weighing_ ? allocated_bytes() : 0;
  const double start = metered ? thread_nanoseconds() : 0;
  packet::Work& work = *party.work;
  party.device->plan(now(), batch, work);
  work.kind == packet::Work::Kind::seal ? aead_->seal(work.jobs) : aead_->open(work.jobs);
  party.device->commit(now(), work, party.output);
  while (party.device->step_handshake(now(), party.output)) {
  }
  if (!metered) return;
  cost_.nanoseconds += thread_nanoseconds() - start - clock_nanoseconds_;
  if (weighing_) cost_.bytes += static_cast<double>(allocated_bytes() - bytes);
}

PeerWorld::Cost PeerWorld::take_cost() noexcept {
  return std::exchange(cost_, {});
}

std::uint64_t PeerWorld::counted(wireguard::DeviceCounter counter) const {
  return device_->device->counters().get(counter);
}

}  // namespace fireline::bench
