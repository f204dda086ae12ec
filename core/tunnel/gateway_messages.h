// What the portal tells a gateway, and what follows from it. Source: portal specification 4.1, tunnel specification
// 5.1. Lifetime and threads: the Gateway's. Called with the state of the Gateway, which finishes behind it.
#pragma once
#include "core/tunnel/gateway_state.h"

namespace fireline::tunnel {

void handle_message(GatewayState& state, Now now, const portal::PortalToGateway& message, packet::Output& output);

}  // namespace fireline::tunnel
