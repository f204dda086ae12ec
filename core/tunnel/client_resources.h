// Resources come, change and go, and the interface with them. Source: tunnel specification 2.1, portal specification
// 3.1. See client_state.h.
#pragma once
#include <vector>

#include "core/base/time.h"
#include "core/base/uuid.h"
#include "core/packet/engine.h"
#include "core/policy/resource.h"
#include "core/portal/common_messages.h"

namespace fireline::tunnel {

struct ClientState;

void set_interface(ClientState& state, const portal::Interface& interface);
// As a difference: what stays the same keeps its traffic.
void set_resources(ClientState& state, Now now, const std::vector<policy::ClientResource>& resources,
                   packet::Output& output);
void put_resource(ClientState& state, Now now, const policy::ClientResource& resource, packet::Output& output);
// What waits for it does so until the portal's next message, which may give it back as it was: so portals make a client
// let go of a gateway before they give the resource to another one (portal specification 6.6).
void remove_resource(ClientState& state, Now now, const Uuid& id, packet::Output& output);
// Behind that next message.
void settle_removal(ClientState& state, const policy::ClientResource& removed);
void set_internet_enabled(ClientState& state, Now now, bool enabled, packet::Output& output);

}  // namespace fireline::tunnel
