// What a gateway answers on its status socket: "status" as JSON, "status text" for a person, "metrics" as Prometheus
// text. Without secrets. Threads: the control thread's.
#pragma once
#include <string>
#include <string_view>

#include "core/tunnel/gateway.h"
#include "tools/common/portal_session.h"
#include "tools/tunnel/tunnel.h"

namespace fireline::gateway {

[[nodiscard]] std::string answer_status(std::string_view line, tunnel::Tunnel<tunnel::Gateway>& tunnel,
                                        const PortalSession& portal);

}  // namespace fireline::gateway
