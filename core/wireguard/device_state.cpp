#include "core/wireguard/device_state.h"

#include <algorithm>

namespace fireline::wireguard {

DeviceState::DeviceState(const DeviceOptions& options, Now start, packet::BufferSource& large_buffers,
                         packet::BufferSource& small_buffers, crypto::Random& random_source, crypto::Aead& own_aead)
    : profile(options.profile),
      large(large_buffers),
      small(small_buffers),
      random(random_source),
      aead(own_aead),
      mtu(std::clamp(options.mtu, kMtuMin, kMtuMax)),
      queue_without_path(options.queue_without_path),
      queued_bytes_max(options.queued_bytes_max),
      return_path(options.return_path),
      policy(options.policy),
      load(options.profile),
      timestamps(options.profile.timestamp, start),
      sessions(options.memory),
      peers(options.memory),
      jitter(random_source),
      trains(large_buffers, small_buffers),
      coalescer(options.tun_offloads),
      icmp_limiter(kIcmpErrorsPerSecond, kIcmpErrorsBurst),
      events(options.events_max) {
  if (profile.load_rule == LoadRule::queue_depth) sources.emplace(profile.handshakes_per_second, random_source);
  turn.planned.reserve(packet::kTunBatchPackets);
  turn.active.reserve(packet::kTunBatchPackets);
}

void DeviceState::follow_endpoint(Peer& peer, const Endpoint& source, const packet::LocalAddress& local) {
  if (!profile.roaming) return;
  if (peer.path && peer.path->destination == source) {
    peer.path->local = local;
    return;
  }
  if (peer.path) counters.add(DeviceCounter::roamed);
  peer.path = {.destination = source, .local = local};
  report(DeviceEvent::Kind::endpoint_roamed, &peer);
}

void DeviceState::report(DeviceEvent::Kind kind, const Peer* peer) {
  DeviceEvent event{.kind = kind, .peer = {}, .endpoint = std::nullopt};
  if (peer != nullptr) {
    event.peer = peer->public_key;
    if (peer->path) event.endpoint = peer->path->destination;
  }
  if (!events.push(event)) counters.add(DeviceCounter::lost_events);
}

void DeviceState::report_data(Peer& peer) {
  peer.data_watched = false;
  report(DeviceEvent::Kind::data_moved, &peer);
}

}  // namespace fireline::wireguard
