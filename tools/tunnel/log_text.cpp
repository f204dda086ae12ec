#include "tools/tunnel/log_text.h"

#include <spdlog/spdlog.h>

namespace fireline::tunnel {

void log_connection(std::string_view peer, node::NodeEvent::Kind kind, node::FailureReason reason,
                    const node::PathState& path) {
  switch (kind) {
    case node::NodeEvent::Kind::established:
      return spdlog::info("{}: connected", peer);
    case node::NodeEvent::Kind::failed:
      return spdlog::info("{}: lost: {}", peer, node::name_of(reason));
    case node::NodeEvent::Kind::closed:
      return spdlog::info("{}: closed", peer);
    case node::NodeEvent::Kind::path_changed:
      return spdlog::info("{}: path {}{}{}: {} to {}", peer, node::name_of(path.kind),
                          path.relay.empty() ? "" : " through ", path.relay, path.source.to_string(),
                          path.destination.to_string());
    default:
      break;  // candidates and relays are no news about a connection
  }
}

}  // namespace fireline::tunnel
