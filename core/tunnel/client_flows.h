// Which gateway has which resource: asked for, given, moved, lost. Source: tunnel specification 2.5, 2.7, 2.8.
// See client_state.h.
//
//   without a gateway ──packet: ask──▶ wanted ──flow_created──▶ given to a gateway ──connection ends──▶ without
//                                        └──offline: drop what waits──▶ without
//
// A gateway that does not answer, or does not let a packet through, is asked for anew while it has the resource.
#pragma once
#include "core/base/time.h"
#include "core/base/uuid.h"
#include "core/crypto/keys.h"
#include "core/packet/engine.h"
#include "core/portal/client_messages.h"
#include "core/tunnel/intent_pace.h"

namespace fireline::tunnel {

struct ClientState;

// Traffic asks for it. True: the portal is asked.
bool want_flow(ClientState& state, Now now, const Uuid& resource, IntentReason reason);
void create_flow(ClientState& state, Now now, const portal::FlowCreated& flow, packet::Output& output);
void fail_flow(ClientState& state, Now now, const portal::FlowCreationFailed& failure, packet::Output& output);
// The resource is not there any more, or not as it was: what waits for it is dropped, and its gateway does not have it;
// a goodbye to one that has nothing left.
void disable(ClientState& state, Now now, const Uuid& resource, packet::Output& output);
// The second part of it alone.
void let_go(ClientState& state, Now now, const Uuid& resource, packet::Output& output);
// Behind everything that changes resources or who has them: the node's and the gateways' networks.
void sync_networks(ClientState& state, Now now, packet::Output& output);
// Relays are there.
void ask_again(ClientState& state, Now now);
void reset(ClientState& state, Now now, const crypto::Key& private_key, packet::Output& output);
// Behind everything that the node did: its events, and packets that were waiting for the end of a work.
// The batch becomes the work, behind what was released meanwhile: its packets may be later ones of the same flows.
void plan_behind_released(ClientState& state, Now now, packet::TunBatch& batch, packet::Work& work);
void settle(ClientState& state, Now now, packet::Output& output);

}  // namespace fireline::tunnel
