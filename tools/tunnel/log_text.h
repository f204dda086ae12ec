// Sentences that the logs of gateway and client have in common. Threads: any.
#pragma once
#include <string_view>

#include "core/node/node_event.h"

namespace fireline::tunnel {

// What became of a connection to `peer`: established, failed, closed or path_changed. The last one reads
// "client 1111…: path relayed through 7d1c…: 203.0.113.5:49160 to 192.0.2.7:52625".
void log_connection(std::string_view peer, node::NodeEvent::Kind kind, node::FailureReason reason,
                    const node::PathState& path);

}  // namespace fireline::tunnel
