// Decides about an upgrade request: token, owner, device. Source: portal specification 1.6, 6.1, 6.2. Threads: one.
#pragma once
#include "core/base/result.h"
#include "core/base/time.h"
#include "core/portal/server/control_plane_state.h"
#include "core/portal/server/login.h"
#include "core/portal/server/refusal.h"

namespace fireline::portal {

// The new session, which is in state.presence.
[[nodiscard]] Result<Session*, Refusal> admit_login(ControlPlaneState& state, ConnectionId id,
                                                    const LoginRequest& request, Now now);

}  // namespace fireline::portal
