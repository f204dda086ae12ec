// Which gateway serves a client's flow. Source: portal specification 6.5 (versions), 6.6. Pure. Threads: any.
// Locations are not known here: gateways that fit are equal, and chance decides.
#pragma once
#include <chrono>
#include <optional>
#include <span>

#include "core/base/time.h"
#include "core/crypto/random.h"
#include "core/policy/document.h"
#include "core/portal/server/presence.h"

namespace fireline::portal {

// Whether programs of this age know the resource's kind: the Internet resource came with 1.3. DNS patterns changed
// with 1.2, and are kept from older programs instead of being rewritten.
[[nodiscard]] bool understands(const ProgramAgent& agent, const policy::Resource& resource) noexcept;

// A gateway that is asked answers in a round trip, and a client that was not answered asks again after 2 s: then a
// gateway of which nothing was heard meanwhile is likely to be cut off, long before its connection counts as dead.
inline constexpr Duration kGatewayPatience = std::chrono::milliseconds(1500);

// `before`: the one that this client's process used for this resource; taken while it can serve. Then one of
// `connected`, else any. Those that were asked kGatewayPatience ago and have been silent since come behind all others.
// Null: none is online, in a site of the resource and of an age that fits.
[[nodiscard]] Session* choose_gateway(Instant now, const Presence& presence, const Session& client,
                                      const policy::Resource& resource, std::span<const Uuid> connected,
                                      const std::optional<Uuid>& before, crypto::Random& random);

}  // namespace fireline::portal
