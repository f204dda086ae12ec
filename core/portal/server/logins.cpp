#include "core/portal/server/logins.h"

#include <memory>
#include <unordered_set>
#include <utility>

#include "core/portal/server/policy_change.h"

namespace fireline::portal {
namespace {

TokenKind kind_of(Role role) noexcept {
  switch (role) {
    case Role::client:
      return TokenKind::client;
    case Role::gateway:
      return TokenKind::gateway;
    case Role::relay:
      break;
  }
  return TokenKind::relay;
}

bool owner_exists(const policy::Document& document, const Token& token) {
  if (token.kind == TokenKind::client) return document.actor(token.owner) != nullptr;
  if (token.kind == TokenKind::gateway) return document.site(token.owner) != nullptr;
  return true;
}

Refusal refused(ControlPlaneState& state, const LoginRequest& request, Now now, PortalCounter counter,
                Refusal refusal) {
  // What may pass is not the source's fault.
  if (refusal.status != 503) state.limiter.failed(now.boot, request.source);
  state.counters.add(counter);
  return refusal;
}

// Two gateways with one key would be one to every client.
bool key_is_taken(const Presence& presence, const Device& device, const crypto::PublicKey& key) {
  for (const auto& [id, gateway] : presence.gateways()) {
    if (gateway->key == key && id != device.id) return true;
  }
  return false;
}

// With a place that a device of the same owner, or of one with more, gives up when there is none: whoever is connected
// keeps its own.
Result<Device, StoreError> register_device(ControlPlaneState& state, const DeviceKey& key, std::string_view name,
                                           Now now) {
  auto device = state.store.register_device(key, name, unix_seconds(now));
  if (device || device.error() != StoreError::full) return device;
  std::unordered_set<Uuid> connected;
  for (const auto& [id, session] : state.presence.sessions()) connected.insert(session->device.id);
  const auto gone = state.store.forget_devices(key, [&](const Uuid& id) { return connected.contains(id); });
  if (!gone) return err(gone.error());
  end_grants_of(state, *gone, now);
  for (const Uuid& id : *gone) state.memories.erase(id);
  return state.store.register_device(key, name, unix_seconds(now));
}

// last_seen is to the hour: nothing is written twice within one.
bool note_seen(ControlPlaneState& state, Session& session, Timestamp now) {
  if (session.role == Role::relay || now / 3600 == session.device.last_seen / 3600) return false;
  session.device.last_seen = now;
  // A failure costs the device a later place in the order at most.
  static_cast<void>(state.store.device_seen(session.device.id, now));
  return true;
}

}  // namespace

void note_end(ControlPlaneState& state, Session& session, Now now) {
  static_cast<void>(note_seen(state, session, unix_seconds(now)));
}

void note_connected(ControlPlaneState& state, Now now) {
  std::size_t noted = 0;
  for (const auto& [id, session] : state.presence.sessions()) {
    if (note_seen(state, *session, unix_seconds(now)) && ++noted == kNotedAtOnce) return;
  }
}

Result<Session*, Refusal> admit_login(ControlPlaneState& state, ConnectionId id, const LoginRequest& request, Now now) {
  const auto refuse = [&](PortalCounter counter, Refusal refusal) {
    return err(refused(state, request, now, counter, std::move(refusal)));
  };
  if (state.presence.full()) return refuse(PortalCounter::login_full, refusal::overloaded());
  if (!state.limiter.may_try(now.boot, request.source)) {
    return refuse(PortalCounter::login_limited, refusal::too_many_failures());
  }
  const auto login = read_login(request);
  if (!login) {
    const bool token = login.error().status == 401;
    return refuse(token ? PortalCounter::login_bad_token : PortalCounter::login_bad_request, login.error());
  }
  const Timestamp seconds = unix_seconds(now);
  const auto token = state.store.find_token(token_hash(login->token.view()));
  if (!token) return refuse(PortalCounter::login_store, refusal::storage_failed());
  if (!*token || (*token)->kind != kind_of(login->role) || !(*token)->valid(seconds) ||
      !owner_exists(*state.document, **token)) {
    return refuse(PortalCounter::login_bad_token, refusal::invalid_token());
  }

  auto session = std::make_unique<Session>();
  session->id = id;
  session->role = login->role;
  session->source = request.source;
  session->since = now.boot;
  session->token = (*token)->id;
  session->token_expires = (*token)->expires;
  session->agent = login->agent;
  session->name = login->name;
  session->device_serial = login->device_serial;
  session->device_uuid = login->device_uuid;
  session->key = login->public_key;
  if (login->role == Role::relay) {
    session->relay = {.id = {}, .ipv4 = login->ipv4, .ipv6 = login->ipv6, .port = login->port};
    if (state.relays.is_taken(now.boot, session->token, session->relay)) {
      return refuse(PortalCounter::login_place, refusal::place_taken());
    }
  } else {
    auto device = register_device(state,
                                  {.account = state.document->account.id,
                                   .kind = login->role == Role::client ? DeviceKind::client : DeviceKind::gateway,
                                   .owner = (*token)->owner,
                                   .external_id = login->external_id},
                                  login->name, now);
    if (!device && device.error() == StoreError::full) {
      return refuse(PortalCounter::login_devices, refusal::too_many_devices());
    }
    if (!device) return refuse(PortalCounter::login_store, refusal::storage_failed());
    session->device = std::move(*device);
    if (login->role == Role::gateway && key_is_taken(state.presence, session->device, session->key)) {
      return refuse(PortalCounter::login_bad_request, refusal::invalid_parameters("public_key is in use"));
    }
  }
  // A list of tokens that is a little old harms nobody.
  static_cast<void>(state.store.token_used((*token)->id, seconds));
  state.counters.add(PortalCounter::login_accepted);
  return &state.presence.add(std::move(session));
}

}  // namespace fireline::portal
