#include "core/portal/server/relay_channel.h"

#include <algorithm>
#include <span>
#include <vector>

#include "core/portal/credentials.h"
#include "core/portal/frame.h"
#include "core/portal/server/client_channel.h"
#include "core/portal/server/gateway_channel.h"

namespace fireline::portal {
namespace {

using Entry = RelayRoster::Entry;

// v4, then v6: clients merge neighbours alone.
RelayEntries entries_for(const Session& peer, std::span<const Entry* const> chosen) {
  // A client's credentials end with its token. A gateway's never: with another end they would be other credentials, and
  // every reconnect would cost it its allocations.
  const Timestamp end = peer.role == Role::client ? peer.token_expires.value_or(kFarFuture) : kFarFuture;
  RelayEntries entries;
  for (const Entry* const entry : chosen) {
    const auto credentials = turn_credentials(peer.key, end, entry->stamp_secret.view());
    for (const auto& address : {entry->relay.ipv4, entry->relay.ipv6}) {
      if (!address) continue;
      entries.push_back({.id = entry->relay.id.to_string(),
                         .kind = turn::RelayEntryKind::turn,
                         .address = {.address = *address, .port = entry->relay.port},
                         .username = credentials.username,
                         .password = std::string(credentials.password.view()),
                         .expires_at = end});
    }
  }
  return entries;
}

std::vector<KnownRelay> known(std::span<const Entry* const> chosen) {
  std::vector<KnownRelay> relays;
  for (const Entry* const entry : chosen) relays.push_back(entry->relay);
  return relays;
}

void tell(ControlPlaneState& state, Session& peer) {
  const auto chosen = state.relays.select(peer.device.id, peer.announced_relays);
  auto present = known(chosen);
  RelaysPresence message;
  for (const KnownRelay& before : peer.announced_relays) {
    // A relay that is there, but not chosen any more, is not taken away.
    if (!state.relays.entries().contains(before.id)) message.disconnected_ids.push_back(before.id.to_string());
  }
  const bool more = std::ranges::any_of(present, [&peer](const KnownRelay& relay) {
    return std::ranges::find(peer.announced_relays, relay) == peer.announced_relays.end();
  });
  if (message.disconnected_ids.empty() && !more) return;
  message.connected = entries_for(peer, chosen);
  peer.announced_relays = std::move(present);
  state.counters.add(PortalCounter::relays_announced);
  peer.role == Role::client ? push(state, peer, PortalToClient(message)) : push(state, peer, PortalToGateway(message));
}

void tell_all(ControlPlaneState& state) {
  for (const auto* online : {&state.presence.gateways(), &state.presence.clients()}) {
    for (const auto& [id, peer] : *online) tell(state, *peer);
  }
}

// Those that joined, and have no place any more.
void close_replaced(ControlPlaneState& state) {
  std::vector<Session*> replaced;
  for (const auto& [id, session] : state.presence.sessions()) {
    if (session->role != Role::relay || session->channel == JoinState::unjoined) continue;
    if (!state.relays.entries().contains(session->relay.id)) replaced.push_back(session.get());
  }
  std::ranges::sort(replaced, {}, &Session::id);
  for (Session* const session : replaced) {
    // Its end must not count for a later connection of that relay.
    state.presence.leave(*session);
    session->ending = true;
    state.counters.add(PortalCounter::relay_superseded);
    state.actions.close(session->id);
  }
}

}  // namespace

bool relay_joined(ControlPlaneState& state, Session& relay, std::string_view stamp_secret, Now now) {
  using Change = RelayRoster::Change;
  relay.relay.id = relay_id(stamp_secret);
  const auto change = state.relays.joined(now.boot, relay.token, relay.relay, stamp_secret, relay.name);
  if (change == Change::full || change == Change::taken) {
    state.counters.add(change == Change::full ? PortalCounter::relay_full : PortalCounter::relay_place);
    return false;
  }
  state.presence.join(relay);
  state.actions.send(relay.id, write_push(name_of(Role::relay), "init", kEmptyObject));
  if (change == Change::at_once) close_replaced(state);
  if (change != Change::none) tell_all(state);
  return true;
}

void relay_left(ControlPlaneState& state, const Session& relay, Now now) {
  state.relays.left(now.boot, relay.relay.id);
}

void expire_relays(ControlPlaneState& state, Now now) {
  if (state.relays.expire(now.boot)) tell_all(state);
}

RelayEntries offer_relays(ControlPlaneState& state, Session& peer) {
  const auto chosen = state.relays.select(peer.device.id, peer.announced_relays);
  peer.announced_relays = known(chosen);
  return entries_for(peer, chosen);
}

}  // namespace fireline::portal
