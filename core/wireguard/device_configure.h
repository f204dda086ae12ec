// Configuration with the meaning that WireGuard's cross-platform protocol and the kernel's netlink give it.
// Part of a Device: see device_state.h for lifetime and threads. The contracts are those of device.h.
#pragma once
#include "core/wireguard/device_state.h"

namespace fireline::wireguard {

bool apply_update(DeviceState& state, Now now, const DeviceUpdate& update, packet::Output& output);
[[nodiscard]] DeviceStatus status_of(const DeviceState& state);
void set_up(DeviceState& state, Now now, bool up, packet::Output& output);
void forget_local_addresses(DeviceState& state) noexcept;

// Sessions and handshakes: keys are erased, a new handshake may begin at once.
void forget_sessions(Peer& peer);

}  // namespace fireline::wireguard
