// What the timers of timers.h do when they are due. Part of a Device: see device_state.h for lifetime and threads.
#pragma once
#include "core/wireguard/device_state.h"

namespace fireline::wireguard {

// A time in the past while initiations wait to be sent.
[[nodiscard]] std::optional<Instant> next_timeout(const DeviceState& state) noexcept;
void run_timers(DeviceState& state, Now now, packet::Output& output);

}  // namespace fireline::wireguard
