// Sentences that the logs of gateway and client have in common. Threads: any.
#pragma once
#include <string_view>

#include "core/node/node_event.h"
#include "core/portal/message_text.h"

namespace fireline::tunnel {

// What became of a connection to `peer`: established, failed, closed or path_changed. The last one reads
// "client 1111…: path relayed through 7d1c…: 203.0.113.5:49160 to 192.0.2.7:52625".
void log_connection(std::string_view peer, node::NodeEvent::Kind kind, node::FailureReason reason,
                    const node::PathState& path);

// A message of the portal that cannot be used. Its payload may hold secrets and is not told; a kind that we do not know
// is a newer portal's and no fault.
void log_ignored(std::string_view event, portal::MessageError error);

}  // namespace fireline::tunnel
