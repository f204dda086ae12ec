// From the sockets. Planning finds the session of each transport message and lists the open jobs; handshake messages
// with valid mac1 go to their queue. The commit looks at the results in the order of arrival, checks sources, follows
// endpoints and hands the packets to the coalescer.
// Part of a Device: see device_state.h for lifetime and threads, packet/engine.h for plan and commit.
#pragma once
#include "core/wireguard/device_state.h"

namespace fireline::wireguard {

// Takes the batch's datagrams and buffers.
void plan_udp(DeviceState& state, Now now, packet::UdpBatch& batch, DeviceWork& work);
void commit_open(DeviceState& state, Now now, DeviceWork& work, packet::Output& output);

}  // namespace fireline::wireguard
