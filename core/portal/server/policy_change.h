// What follows when the policy, the tokens or the time change: grants are looked at again, and every client's list of
// resources is compared with what it was told. Gateways are told first, all of them: a client asks again at once, and a
// late `reject_access` would take its new grant away. Source: portal specification 6.4, 6.10, 6.11. Threads: one.
// Cost: one look at each grant, one merge of two lists for each client; texts are made once for all clients.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "core/base/time.h"
#include "core/policy/document.h"
#include "core/portal/server/control_plane_state.h"

namespace fireline::portal {

void change_policy(ControlPlaneState& state, std::shared_ptr<const policy::Document> document, Now now);
// Conditions may hold or not by now.
void review_everybody(ControlPlaneState& state, Now now);
// Those of one client that comes back, perhaps from where a condition forbids them.
void review_grants_of(ControlPlaneState& state, const Session& client, Now now);
// Those of a gateway that joins: whether they fit its site was not known while it was away.
void review_grants_before_init(ControlPlaneState& state, const Session& gateway, Now now);
// When the table of grants is full: some of gateways that are offline give way, or else the client's own oldest one.
void make_room(ControlPlaneState& state, const Uuid& client, Now now);
// Of devices that are forgotten, clients or gateways: one look at each grant.
void end_grants_of(ControlPlaneState& state, const std::vector<Uuid>& devices, Now now);
// Ends the connections and grants of tokens that are revoked or expired.
void review_tokens(ControlPlaneState& state, Now now);

// The earlier of both, as gateways are told it.
[[nodiscard]] Timestamp grant_end(const std::optional<policy::UnixSeconds>& policy,
                                  const std::optional<Timestamp>& token) noexcept;

}  // namespace fireline::portal
