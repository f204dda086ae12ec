// A node as an operator sees it: values for the status socket, without secrets. Threads: any.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.h"
#include "core/crypto/keys.h"
#include "core/ice/agent.h"
#include "core/node/node_event.h"
#include "core/turn/allocation.h"

namespace fireline::node {

// Connecting: nothing was nominated yet. Idle: as connected, with slow checks. What failed is gone.
enum class ConnectionPhase : std::uint8_t { connecting, connected, idle };

[[nodiscard]] constexpr std::string_view name_of(ConnectionPhase phase) noexcept {
  switch (phase) {
    case ConnectionPhase::connecting:
      return "connecting";
    case ConnectionPhase::connected:
      return "connected";
    case ConnectionPhase::idle:
      break;
  }
  return "idle";
}

struct ConnectionStatus {
  std::string id;
  crypto::PublicKey peer_key;
  ConnectionPhase phase = ConnectionPhase::connecting;
  ice::AgentState ice = ice::AgentState::fresh;
  std::optional<PathState> path;  // set from the first nomination on
  bool path_suspended = false;    // data waits: the relay's channel is not bound
  std::string relay;              // chosen for this connection, used or not; empty while there is none
  Instant created{};
  std::size_t pairs = 0;
  std::size_t local_candidates = 0;
  std::size_t remote_candidates = 0;
};

struct RelayStatus {
  std::string id;
  turn::AllocationStatus allocation;
  std::size_t connections = 0;  // that have chosen it
};

}  // namespace fireline::node
