// A client's answer on its status socket: tools/tunnel/report_parts.h with its own part. Threads: the control thread's.
#pragma once
#include <string>
#include <string_view>

#include "core/tunnel/client.h"
#include "tools/common/portal_session.h"
#include "tools/tunnel/tunnel.h"

namespace fireline::client {

[[nodiscard]] std::string answer_status(std::string_view line, tunnel::Tunnel<tunnel::Client>& tunnel,
                                        const PortalSession& portal);

}  // namespace fireline::client
