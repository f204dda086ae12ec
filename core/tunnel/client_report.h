// What the control thread and the user are told: events in their order, latest values, status. Source: tunnel
// specification 2.7, 2.8. See client_state.h.
#pragma once
#include <optional>

#include "core/base/time.h"
#include "core/tunnel/client_event.h"
#include "core/tunnel/client_status.h"
#include "core/tunnel/tun_configuration.h"

namespace fireline::tunnel {

struct ClientState;

// Behind everything that may have set ClientState::tun_changed.
void renew_tun(ClientState& state, Now now);
[[nodiscard]] std::optional<ClientEvent> poll_event(ClientState& state);
[[nodiscard]] std::optional<TunConfiguration> take_tun_configuration(ClientState& state);
[[nodiscard]] std::optional<ResourceList> take_resource_list(ClientState& state);
[[nodiscard]] ClientStatus status_of(const ClientState& state);

}  // namespace fireline::tunnel
