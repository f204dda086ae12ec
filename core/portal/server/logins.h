// Decides about an upgrade request: token, owner, device; and keeps devices that are connected known. Source: portal
// specification 1.6, 6.1, 6.2. Threads: one.
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

// At one review, each one write: all that may be connected within a quarter of an hour.
inline constexpr std::size_t kNotedAtOnce = 512;
// That the devices of connections are there: last_seen decides who gives way when there are too many. Once an hour each
// at most; now, and when it ends.
void note_connected(ControlPlaneState& state, Now now);
void note_end(ControlPlaneState& state, Session& session, Now now);

}  // namespace fireline::portal
