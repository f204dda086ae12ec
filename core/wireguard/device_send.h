// From the TUN into the tunnel. Planning looks each packet's peer up, cuts it into segments, writes these behind one
// another as trains and lists the seal jobs; packets of several peers take turns of kSealRoundPackets. The commit hands
// the trains out. Part of a Device: see device_state.h for lifetime and threads, packet/engine.h for plan and commit.
#pragma once
#include "core/wireguard/device_state.h"

namespace fireline::wireguard {

// Takes the batch's packets and gives its buffers back; what has no session goes to its peer's queue.
void plan_tun(DeviceState& state, Now now, packet::TunBatch& batch, DeviceWork& work);
void commit_seal(DeviceState& state, Now now, DeviceWork& work, packet::Output& output);

// After something left on a session: rekeys when it is old or at the end of its counters.
void keep_fresh_after_sending(DeviceState& state, Now now, Peer& peer, const Session& session);

}  // namespace fireline::wireguard
