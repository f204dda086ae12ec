// What happens on a gateway's channel: the join with its `init`, and the answers to flows.
// Source: portal specification 4, 6.4, 6.12. Threads: one.
#pragma once
#include <cstdint>
#include <optional>

#include "core/base/time.h"
#include "core/portal/gateway_codec.h"
#include "core/portal/server/control_plane_state.h"

namespace fireline::portal {

// Behind the reply to the join: `init`, and the resources of its grants as they are now.
void gateway_joined(ControlPlaneState& state, Session& gateway, Now now);
// Again when what it says of the account changed.
void push_gateway_init(ControlPlaneState& state, Session& gateway, Now now);
// False while the gateway has too much to read: it is told by tell_rejections() then.
[[nodiscard]] bool tell_rejection(ControlPlaneState& state, const Session& gateway, const GrantKey& key, Now now);
// As many as it may be told now of those that it has not been told.
void tell_rejections(ControlPlaneState& state, const Session& gateway, Now now);
// All gateways, when it is due.
void tell_rejections(ControlPlaneState& state, Now now);
void gateway_says(ControlPlaneState& state, Session& gateway, const GatewayRequest& request,
                  std::optional<std::uint64_t> ref);
void push(ControlPlaneState& state, const Session& gateway, const PortalToGateway& message);

}  // namespace fireline::portal
