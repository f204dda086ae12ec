// Which gateway serves a client's flow. Source: portal specification 6.5 (versions), 6.6. Pure. Threads: any.
// Locations are not known here: gateways that fit are equal, and chance decides.
#pragma once
#include <optional>
#include <span>

#include "core/crypto/random.h"
#include "core/policy/document.h"
#include "core/portal/server/presence.h"

namespace fireline::portal {

// Whether programs of this age know the resource's kind: the Internet resource came with 1.3. DNS patterns changed
// with 1.2, and are kept from older programs instead of being rewritten.
[[nodiscard]] bool understands(const ProgramAgent& agent, const policy::Resource& resource) noexcept;

// `before`: the one that this client's process used for this resource; taken while it can serve. Then one of
// `connected`, else any. Null: none is online, in a site of the resource and of an age that fits.
[[nodiscard]] Session* choose_gateway(const Presence& presence, const Session& client, const policy::Resource& resource,
                                      std::span<const Uuid> connected, const std::optional<Uuid>& before,
                                      crypto::Random& random);

}  // namespace fireline::portal
