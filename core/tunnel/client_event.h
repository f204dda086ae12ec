// What a tunnel's client tells the control thread. Values; texts are made where they are logged. Threads: any.
// Source: tunnel specification 2.5 and 2.8.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

#include "core/base/uuid.h"
#include "core/node/node_event.h"
#include "core/portal/client_messages.h"
#include "core/tunnel/relays_wanted.h"

namespace fireline::tunnel {

// Fetch it: Client::take_tun_configuration().
struct TunChanged {};
// Fetch it: Client::take_resource_list().
struct ResourcesChanged {};

// What became of an answer to CreateFlow.
enum class FlowOutcome : std::uint8_t {
  created,           // packets go to the gateway, or wait for the connection that is being made
  moved,             // as created; another gateway had the resource before
  unknown_resource,  // ignored: it was removed meanwhile
  not_wanted,        // ignored: nobody asked, or it was answered before
  no_relays,         // nothing can be connected; asked for again once relays are there
  no_room,           // the node's limit of connections; asked for again with traffic
  bad_answer,        // addresses or ICE credentials that nobody can use; asked for again with traffic
  offline,           // refused: no gateway of the site; what waited is dropped
  not_found,         // refused; what waits stays
  forbidden,         // refused; what waits stays
  refused,           // for another reason; what waits stays
};

[[nodiscard]] constexpr std::string_view name_of(FlowOutcome outcome) noexcept {
  constexpr std::array<std::string_view, 11> kNames{
      "created",    "moved",        "unknown resource", "not wanted", "no relays known", "too many connections",
      "bad answer", "site offline", "not found",        "forbidden",  "refused"};
  return kNames[static_cast<std::size_t>(outcome)];
}

struct FlowReport {
  Uuid resource;
  FlowOutcome outcome = FlowOutcome::created;
};

// established, failed, closed or path_changed; candidates and relays have events of their own.
struct GatewayReport {
  Uuid gateway;
  Uuid site;
  node::NodeEvent::Kind kind = node::NodeEvent::Kind::established;
  node::FailureReason reason = node::FailureReason::none;
  node::PathState path;
};

// CreateFlow and IceCandidates go to the portal.
using ClientEvent = std::variant<TunChanged, portal::CreateFlow, portal::IceCandidates, RelaysWanted, FlowReport,
                                 GatewayReport, ResourcesChanged>;

}  // namespace fireline::tunnel
