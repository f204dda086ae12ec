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
void remove_resource(ClientState& state, Now now, const Uuid& id, packet::Output& output);
void set_internet_enabled(ClientState& state, Now now, bool enabled, packet::Output& output);

}  // namespace fireline::tunnel
