#include "core/wireguard/device.h"

#include <algorithm>

#include "core/wireguard/device_configure.h"
#include "core/wireguard/device_handshake.h"
#include "core/wireguard/device_path.h"
#include "core/wireguard/device_queue.h"
#include "core/wireguard/device_receive.h"
#include "core/wireguard/device_send.h"
#include "core/wireguard/device_state.h"
#include "core/wireguard/device_timeout.h"

namespace fireline::wireguard {
namespace {

// make_work() gives nothing else, and the seam says that a Work goes back to the engine that made it.
DeviceWork& own(packet::Work& work) noexcept {
  return static_cast<DeviceWork&>(work);
}

}  // namespace

Device::Device(DeviceOptions options, Now start, packet::BufferSource& large, packet::BufferSource& small,
               crypto::Random& random, crypto::Aead& aead)
    : state_(std::make_unique<DeviceState>(options, start, large, small, random, aead)) {}

Device::~Device() = default;

bool Device::apply(Now now, const DeviceUpdate& update, packet::Output& output) {
  return apply_update(*state_, now, update, output);
}

DeviceStatus Device::status() const {
  return status_of(*state_);
}

void Device::set_mtu(std::uint16_t mtu) {
  state_->mtu = std::clamp(mtu, kMtuMin, kMtuMax);
}

void Device::set_up(Now now, bool up, packet::Output& output) {
  wireguard::set_up(*state_, now, up, output);
}

std::vector<StickySource> Device::sticky_sources() const {
  std::vector<StickySource> sources;
  if (!state_->profile.roaming) return sources;
  for (const auto& peer : state_->peers.peers()) {
    if (!peer->path || peer->path->local.interface == 0) continue;
    sources.push_back({.peer = peer->public_key, .destination = peer->path->destination, .local = peer->path->local});
  }
  return sources;
}

void Device::forget_local_addresses(std::span<const StickySource> sources) {
  for (const StickySource& source : sources) {
    Peer* const peer = state_->peers.find(source.peer);
    if (peer == nullptr || !peer->path || peer->path->destination != source.destination) continue;
    if (peer->path->local == source.local) state_->forget_local_address(*peer);
  }
}

void Device::forget_local_addresses() {
  wireguard::forget_local_addresses(*state_);
}

void Device::set_tun_offloads(packet::CoalescerOptions offloads) {
  state_->coalescer.set_options(offloads);
}

void Device::set_path(Now now, const crypto::PublicKey& peer, const std::optional<PeerPath>& path,
                      packet::Output& output) {
  wireguard::set_path(*state_, now, peer, path, output);
}

bool Device::initiate(Now now, const crypto::PublicKey& peer) {
  return wireguard::initiate(*state_, now, peer);
}

bool Device::send_packet(Now now, const crypto::PublicKey& peer, ConstBytes packet, packet::Output& output) {
  return wireguard::send_packet(*state_, now, peer, packet, output);
}

std::optional<Instant> Device::last_data(const crypto::PublicKey& peer) const {
  const Peer* known = state_->peers.find(peer);
  return known == nullptr ? std::nullopt : known->last_data;
}

void Device::watch_data(const crypto::PublicKey& peer) {
  if (Peer* known = state_->peers.find(peer); known != nullptr) known->data_watched = true;
}

std::optional<Instant> Device::unanswered_since(const crypto::PublicKey& peer) const {
  const Peer* known = state_->peers.find(peer);
  return known == nullptr ? std::nullopt : known->timers.unanswered_since();
}

std::unique_ptr<packet::Work> Device::make_work() {
  return std::make_unique<DeviceWork>();
}

void Device::plan(Now now, packet::TunBatch& batch, packet::Work& work) {
  plan_tun(*state_, now, batch, own(work));
}

void Device::plan(Now now, packet::UdpBatch& batch, packet::Work& work) {
  plan_udp(*state_, now, batch, own(work));
}

void Device::commit(Now now, packet::Work& work, packet::Output& output) {
  if (work.kind == packet::Work::Kind::seal) {
    commit_seal(*state_, now, own(work), output);
  } else {
    commit_open(*state_, now, own(work), output);
  }
  own(work).clear();
  send_wanted_initiations(*state_, now, 1, output);
}

bool Device::step_handshake(Now now, packet::Output& output) {
  return step_message(*state_, now, output) || send_wanted_initiations(*state_, now, 1, output);
}

std::optional<Instant> Device::poll_timeout() const {
  return next_timeout(*state_);
}

void Device::handle_timeout(Now now, packet::Output& output) {
  run_timers(*state_, now, output);
}

std::optional<DeviceEvent> Device::poll_event() {
  return state_->events.pop();
}

const Counters<DeviceCounter>& Device::counters() const noexcept {
  return state_->counters;
}

DeviceGauges Device::gauges() const noexcept {
  return {.peers = state_->peers.size(),
          .queued_packets = state_->queued_packets,
          .queued_bytes = state_->queued_bytes,
          .queued_handshakes = state_->handshakes.size(),
          .wanted_initiations = state_->wanted.size()};
}

}  // namespace fireline::wireguard
