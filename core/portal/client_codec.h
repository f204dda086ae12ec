// Messages between portal and client as JSON, both ways: programs read what a portal writes and the other way round.
// Source: portal specification 2 and 3. Unknown fields are ignored. Lifetime: values; nothing borrows. Threads: any.
// Limits: codec_limits.h.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "core/base/result.h"
#include "core/portal/candidate_broadcast.h"
#include "core/portal/client_messages.h"
#include "core/portal/message_text.h"

namespace fireline::portal {

// Program side. Resources that cannot be read are skipped one by one and counted in the message.
[[nodiscard]] Result<PortalToClient, MessageError> read_portal_to_client(std::string_view event,
                                                                         std::string_view payload);
[[nodiscard]] MessageText write(const ClientToPortal& message);

// Portal side.
using ClientRequest = std::variant<CreateFlow, CandidateBroadcast>;
[[nodiscard]] Result<ClientRequest, MessageError> read_client_to_portal(std::string_view event,
                                                                        std::string_view payload);
[[nodiscard]] MessageText write(const PortalToClient& message);
// `init` of resources that are written already, each as the payload of its `resource_created_or_updated`.
[[nodiscard]] MessageText write_init(const Interface& interface, std::span<const std::string_view> resources,
                                     const RelayEntries& relays);

}  // namespace fireline::portal
