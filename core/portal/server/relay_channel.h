// Relays' channels, and what clients and gateways are told of relays. A relay in or out is compared with what each
// peer was told last. Source: portal specification 2.2, 5, 6.7, 6.8. Threads: one.
#pragma once
#include <string_view>

#include "core/base/time.h"
#include "core/portal/common_messages.h"
#include "core/portal/server/control_plane_state.h"

namespace fireline::portal {

// False: there is no room for another relay, or a relay of another token has its place. Connections of relays whose
// place it took are closed: their programs hear of it.
[[nodiscard]] bool relay_joined(ControlPlaneState& state, Session& relay, std::string_view stamp_secret, Now now);
void relay_left(ControlPlaneState& state, const Session& relay, Now now);
void expire_relays(ControlPlaneState& state, Now now);

// The entries of an `init`, and notes what they are.
[[nodiscard]] RelayEntries offer_relays(ControlPlaneState& state, Session& peer);

}  // namespace fireline::portal
