// The paths of peers whose addresses the layer above owns (Profile::roaming off; ICE chooses), and what waits for the
// first one. Source: connectivity spec 1.8, 2.7 and 4.3.
// Part of a Device: see device_state.h for lifetime and threads. The contracts are those of device.h.
#pragma once
#include "core/wireguard/device_state.h"

namespace fireline::wireguard {

void set_path(DeviceState& state, Now now, const crypto::PublicKey& key, const std::optional<PeerPath>& path,
              packet::Output& output);
bool initiate(DeviceState& state, Now now, const crypto::PublicKey& key);

// Sends a response on the peer's path, or keeps it for the first one.
void send_or_hold_response(DeviceState& state, Peer& peer, const ResponseMessage& message, packet::Output& output);

// Where an answer to a received message goes that belongs to no peer yet. Empty, and counted: nowhere.
[[nodiscard]] std::optional<PeerPath> path_back(DeviceState& state, const QueuedHandshake& message);

}  // namespace fireline::wireguard
