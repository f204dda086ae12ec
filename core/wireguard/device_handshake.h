// Handshakes of both roles. Everything that costs a curve operation is here, and is done one at a time.
// Source: WireGuard paper sections 5.4 and 6; connectivity spec 1.3 to 1.8 for what differs.
// Part of a Device: see device_state.h for lifetime and threads.
#pragma once
#include "core/wireguard/device_state.h"

namespace fireline::wireguard {

enum class Ask : std::uint8_t {
  data,   // a packet is at hand, or a timer that begins an attempt
  retry,  // of the running attempt
};

// Notes that the peer shall get an initiation, unless one is under way. When a handshake message left less than
// REKEY_TIMEOUT ago, the retransmit timer asks again.
void want_initiation(DeviceState& state, Now now, Peer& peer, Ask ask);
// Sends at most `limit` of the wanted ones; false when there was none.
bool send_wanted_initiations(DeviceState& state, Now now, std::size_t limit, packet::Output& output);

// Works on the oldest received message; false when there is none.
bool step_message(DeviceState& state, Now now, packet::Output& output);

// The session may be used by both sides.
void complete_handshake(DeviceState& state, Now now, Peer& peer);

}  // namespace fireline::wireguard
