// What becomes of a packet from the TUN, and of a decrypted one. Source: tunnel specification 2.4, 2.6, 6.1.
// See client_state.h; ClientState::admit is defined here as well.
#pragma once
#include "core/base/time.h"
#include "core/packet/batch.h"

namespace fireline::tunnel {

struct ClientState;

// Leaves what the node is to send. Everything else was counted, and held or dropped.
void filter_tun_batch(ClientState& state, Now now, packet::TunBatch& batch);

}  // namespace fireline::tunnel
