// What happens on a client's channel: the join with its `init`, and the client's requests.
// Source: portal specification 3, 6.4 to 6.6, 6.9, 6.10, 6.12, 7. Threads: one.
#pragma once
#include <cstddef>
#include <vector>

#include "core/base/time.h"
#include "core/portal/client_codec.h"
#include "core/portal/server/control_plane_state.h"

namespace fireline::portal {

// Behind the reply to the join.
void client_joined(ControlPlaneState& state, Session& client, Now now);
void client_asks(ControlPlaneState& state, Session& client, const ClientRequest& request, Now now);

// Places in the document's resources that this client may know of at this time; ascending. Empty when its actor is
// gone.
[[nodiscard]] std::vector<std::size_t> resources_of(const policy::Document& document, const Session& client, Now now);
// Tunnel addresses and DNS settings.
[[nodiscard]] Interface interface_of(const policy::Document& document, const Session& client);
void push(ControlPlaneState& state, const Session& client, const PortalToClient& message);

}  // namespace fireline::portal
