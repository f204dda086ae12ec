// What a tunnel's gateway tells the control thread. Values; texts are made where they are logged. Threads: any.
// Source: portal specification 4; the answer to a flow stands before the candidates of its connection.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

#include "core/base/uuid.h"
#include "core/node/node_event.h"
#include "core/portal/gateway_messages.h"
#include "core/tunnel/relays_wanted.h"

namespace fireline::tunnel {

// What became of AuthorizeFlow. All but `granted` changed nothing and are not answered; the client asks again.
enum class GrantOutcome : std::uint8_t {
  granted,
  no_interface,  // it came before the first `init`
  no_relays,     // nothing can be connected; RelaysWanted follows
  kind_changed,  // the client holds this resource as another kind: the portal is wrong
  bad_request,   // tunnel addresses or ICE credentials that nobody can use
  no_room,       // a limit: clients, connections, or grants of one client
};

[[nodiscard]] constexpr std::string_view name_of(GrantOutcome outcome) noexcept {
  constexpr std::array<std::string_view, 6> kNames{"granted",         "no interface yet",
                                                   "no relays known", "the resource changed its kind",
                                                   "bad request",     "a limit is reached"};
  return kNames[static_cast<std::size_t>(outcome)];
}

struct GrantReport {
  Uuid client;
  Uuid resource;
  GrantOutcome outcome = GrantOutcome::granted;
};

// Why a grant ended.
enum class GrantEnd : std::uint8_t { expired, rejected, not_listed, displaced };

[[nodiscard]] constexpr std::string_view name_of(GrantEnd end) noexcept {
  constexpr std::array<std::string_view, 4> kNames{"expired", "rejected", "not listed by the portal any more",
                                                   "another client has its address or key"};
  return kNames[static_cast<std::size_t>(end)];
}

// A client's last grant is gone, and with it the client.
struct ClientGone {
  Uuid client;
  GrantEnd reason = GrantEnd::expired;
};

// established, failed, closed or path_changed. A client whose connection is gone keeps its grants.
struct ClientReport {
  Uuid client;
  node::NodeEvent::Kind kind = node::NodeEvent::Kind::established;
  node::FailureReason reason = node::FailureReason::none;
  node::PathState path;
};

// FlowAuthorized and IceCandidates go to the portal.
using GatewayEvent =
    std::variant<portal::FlowAuthorized, portal::IceCandidates, RelaysWanted, GrantReport, ClientGone, ClientReport>;

}  // namespace fireline::tunnel
