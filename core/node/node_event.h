// What a node tells its owner about connections. Values; texts are made where they are logged. Threads: any.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/time.h"

namespace fireline::node {

// The worse of a path's two ends.
enum class PathKind : std::uint8_t { host, reflexive, relayed };

[[nodiscard]] constexpr std::string_view name_of(PathKind kind) noexcept {
  switch (kind) {
    case PathKind::host:
      return "host";
    case PathKind::reflexive:
      return "reflexive";
    case PathKind::relayed:
      break;
  }
  return "relayed";
}

// The path that data takes.
struct PathState {
  PathKind kind = PathKind::host;
  Endpoint source;       // our host or relayed address
  Endpoint destination;  // the peer's address, also when a relay stands before it
  std::string relay;     // ours, when `source` is its address; else empty
  std::optional<Duration> rtt;
  Instant since{};
  std::uint16_t channel = 0;  // with a relay of ours; 0 while it is being bound
};

enum class FailureReason : std::uint8_t {
  none,
  no_candidates,   // the peer was never heard of
  ice_timeout,     // no path is left
  tunnel_expired,  // WireGuard got no answer over a path that ICE believed in
};

[[nodiscard]] constexpr std::string_view name_of(FailureReason reason) noexcept {
  switch (reason) {
    case FailureReason::none:
      return "none";
    case FailureReason::no_candidates:
      return "no candidates of the peer";
    case FailureReason::ice_timeout:
      return "no path is left";
    case FailureReason::tunnel_expired:
      break;
  }
  return "the tunnel got no answer";
}

struct NodeEvent {
  enum class Kind : std::uint8_t {
    established,             // a path was nominated for the first time
    failed,                  // the connection is gone; `reason` says why
    closed,                  // the connection is gone: goodbye received, closed here, or the node was reset
    path_changed,            // `path`
    candidates_gathered,     // send `candidates` to the peer through the portal
    candidates_invalidated,  // likewise; in this order when both are there
    no_relays_left,          // ask the portal for relays; concerns no connection
  };
  Kind kind = Kind::established;
  std::string connection;
  std::vector<std::string> candidates;  // by descending priority
  PathState path;
  FailureReason reason = FailureReason::none;
};

}  // namespace fireline::node
