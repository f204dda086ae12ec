// A gateway's answer on its status socket: tools/tunnel/report_parts.h with its own part. Threads: the control
// thread's.
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
