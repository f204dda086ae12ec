// Messages between portal and gateway as JSON, both ways.
// Source: portal specification 2 and 4. Strict: a part that cannot be read loses its message; the exceptions are
// candidates, skipped one by one, and filters of unknown protocols, which are left out and noted in the list.
// Unknown fields are ignored. Lifetime: values; nothing borrows. Threads: any. Limits: codec_limits.h.
#pragma once
#include <string>
#include <string_view>
#include <variant>

#include "core/base/result.h"
#include "core/portal/candidate_broadcast.h"
#include "core/portal/gateway_messages.h"
#include "core/portal/message_text.h"

namespace fireline::portal {

// Program side.
[[nodiscard]] Result<PortalToGateway, MessageError> read_portal_to_gateway(std::string_view event,
                                                                           std::string_view payload);
[[nodiscard]] MessageText write(const GatewayToPortal& message);

// Portal side.
using GatewayRequest = std::variant<FlowAuthorized, CandidateBroadcast>;
[[nodiscard]] Result<GatewayRequest, MessageError> read_gateway_to_portal(std::string_view event,
                                                                          std::string_view payload);
[[nodiscard]] MessageText write(const PortalToGateway& message);

}  // namespace fireline::portal
