#include "core/portal/server/policy_change.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/policy/difference.h"
#include "core/portal/frame.h"
#include "core/portal/server/client_channel.h"
#include "core/portal/server/gateway_channel.h"

namespace fireline::portal {
namespace {

// Looking for grants of gateways that are offline is a walk over all of them, and each that goes is a write.
constexpr Duration kSweepEvery = std::chrono::seconds(10);
constexpr std::size_t kSweptAtOnce = 10'000;

// What a grant is worth by the present document: its new end, or nothing.
std::optional<Timestamp> worth(const ControlPlaneState& state, const GrantKey& key, const Grant& grant,
                               const policy::Difference& difference, const std::optional<Uuid>& site, Now now) {
  const policy::Document& document = *state.document;
  const policy::Actor* const actor = document.actor(grant.actor);
  const policy::Resource* const resource = document.resource(key.resource);
  if (actor == nullptr || resource == nullptr) return std::nullopt;
  const policy::ResourceChange* const change = difference.of(key.resource);
  if (change != nullptr && change->identity) return std::nullopt;
  // The portal may have been away while the policy changed.
  if (!grant.opened.empty() && grant.opened != policy::identity_of(*resource)) return std::nullopt;
  if (site && std::ranges::find(resource->sites, *site, &policy::Site::id) == resource->sites.end()) {
    return std::nullopt;
  }
  const auto access = policy::access(document, *actor, key.resource, context_of(grant.source, now));
  if (!access) return std::nullopt;
  return grant_end(access->until, grant.token_expires);
}

// What does not fit is said once in that time.
constexpr Duration kWarnEvery = std::chrono::minutes(10);

void tell_later(ControlPlaneState& state, const GrantKey& key, Timestamp end, Now now) {
  if (state.untold.add(key, end, now)) return;
  if (state.untold_warned && now.boot - *state.untold_warned < kWarnEvery) return;
  state.untold_warned = now.boot;
  state.actions.warn(std::to_string(kUntoldMax) + " ended grants wait for gateways that are offline: of more such " +
                     "gateways are not told, and keep them until they expire");
}

void reject(ControlPlaneState& state, const GrantKey& key, Now now) {
  const Grant* const grant = state.grants.find(key);
  const Timestamp end = grant != nullptr ? grant->expires_at : kFarFuture;
  state.grants.remove(key);
  const Session* const gateway = state.presence.gateway(key.gateway);
  if (gateway == nullptr || !tell_rejection(state, *gateway, key, now)) tell_later(state, key, end, now);
}

void review_grant(ControlPlaneState& state, const GrantKey& key, Grant grant, const policy::Difference& difference,
                  Now now) {
  // A gateway ends it by its own clock, which may be another one, and what is forgotten here cannot be revoked later.
  if (grant.expires_at <= unix_seconds(now)) return reject(state, key, now);
  const Session* const gateway = state.presence.gateway(key.gateway);
  const auto site = gateway != nullptr ? std::optional(gateway->device.key.owner) : std::nullopt;
  const auto end = worth(state, key, grant, difference, site, now);
  if (!end) return reject(state, key, now);
  if (*end == grant.expires_at) return;
  grant.expires_at = *end;
  static_cast<void>(state.grants.put(key, grant));  // it is in the table
  if (gateway == nullptr) return;
  state.counters.add(PortalCounter::expiry_updated);
  push(state, *gateway, AuthorizationExpiryUpdated{key.client, key.resource, grant.expires_at});
}

void review_grants(ControlPlaneState& state, const policy::Difference& difference, Now now) {
  const std::vector<std::pair<GrantKey, Grant>> all(state.grants.all().begin(), state.grants.all().end());
  for (const auto& [key, grant] : all) review_grant(state, key, grant, difference, now);
}

// 6.11 `resource_updated`: once to each gateway that holds a grant on it.
void update_filters(ControlPlaneState& state, const policy::Difference& difference) {
  if (difference.filters().empty()) return;
  std::unordered_map<Uuid, std::vector<Uuid>> holders;
  for (const auto& [key, grant] : state.grants.all()) {
    auto& gateways = holders[key.resource];
    if (std::ranges::find(gateways, key.gateway) == gateways.end()) gateways.push_back(key.gateway);
  }
  for (const std::size_t place : difference.filters()) {
    const policy::Resource& resource = state.document->resources[place];
    const auto found = holders.find(resource.id);
    if (found == holders.end()) continue;
    for (const Uuid& id : found->second) {
      const Session* const gateway = state.presence.gateway(id);
      if (gateway != nullptr) push(state, *gateway, ResourceUpdated{policy::gateway_view(resource)});
    }
  }
}

// Plainly: a baseline program learns the rest from the refusal of its next login.
void end(ControlPlaneState& state, Session& session, PortalCounter why) {
  if (std::exchange(session.ending, true)) return;
  state.counters.add(why);
  state.actions.close(session.id);
}

// Actors and sites that the policy no longer has, and devices of another account.
void close_strangers(ControlPlaneState& state) {
  for (const auto& [id, session] : state.presence.sessions()) {
    if (session->role == Role::relay) continue;
    const auto& owner = session->device.key.owner;
    const bool known = session->role == Role::client ? state.document->actor(owner) != nullptr
                                                     : state.document->site(owner) != nullptr;
    if (known && session->device.key.account == state.document->account.id) continue;
    end(state, *session, PortalCounter::owner_ended);
  }
}

// Frames that many clients get alike.
class SharedFrames {
 public:
  using Frame = std::shared_ptr<const std::string>;

  explicit SharedFrames(ControlPlaneState& state) noexcept : state_(state) {}

  const Frame& upserted(std::size_t place) {
    Frame& frame = upserted_[place];
    if (!frame) frame = make(ResourceCreatedOrUpdated{state_.document->resources[place]});
    return frame;
  }
  const Frame& deleted(const Uuid& resource) {
    Frame& frame = deleted_[resource];
    if (!frame) frame = make(ResourceDeleted{resource});
    return frame;
  }

 private:
  static Frame make(const PortalToClient& message) {
    const MessageText text = write(message);
    return std::make_shared<const std::string>(write_push(name_of(Role::client), text.event, text.payload));
  }
  ControlPlaneState& state_;
  std::unordered_map<std::size_t, Frame> upserted_;
  std::unordered_map<Uuid, Frame> deleted_;
};

void update_clients(ControlPlaneState& state, const policy::Document& before, const policy::Difference& difference,
                    Now now) {
  SharedFrames frames(state);
  for (const auto& [id, client] : state.presence.clients()) {
    if (difference.dns()) push(state, *client, ConfigChanged{interface_of(*state.document, *client)});
    auto sees = resources_of(*state.document, *client, now);
    const auto update = policy::client_update(before, client->sees, *state.document, sees, difference,
                                              takes_renamed_sites(client->agent));
    client->sees = std::move(sees);
    auto& used = state.memories[id].gateways;
    for (const Uuid& resource : update.deleted) {
      used.erase(resource);
      state.actions.send(client->id, frames.deleted(resource));
    }
    for (const std::size_t place : update.upserted) state.actions.send(client->id, frames.upserted(place));
  }
}

}  // namespace

void change_policy(ControlPlaneState& state, std::shared_ptr<const policy::Document> document, Now now) {
  const auto before = std::exchange(state.document, std::move(document));
  state.resource_texts.clear();
  const policy::Difference difference(*before, *state.document);
  review_grants(state, difference, now);
  update_filters(state, difference);
  if (difference.account_slug()) {
    for (const auto& [id, gateway] : state.presence.gateways()) push_gateway_init(state, *gateway, now);
  }
  update_clients(state, *before, difference, now);
  close_strangers(state);
}

void review_everybody(ControlPlaneState& state, Now now) {
  const policy::Difference nothing;
  review_grants(state, nothing, now);
  update_clients(state, *state.document, nothing, now);
}

// What ends here is told behind `init`.
void review_grants_before_init(ControlPlaneState& state, const Session& gateway, Now now) {
  std::vector<std::pair<GrantKey, Grant>> own;
  for (const auto& [key, grant] : state.grants.all()) {
    if (key.gateway == gateway.device.id) own.emplace_back(key, grant);
  }
  for (auto& [key, grant] : own) {
    const auto end = worth(state, key, grant, {}, gateway.device.key.owner, now);
    if (!end || grant.expires_at <= unix_seconds(now)) {
      state.grants.remove(key);
      tell_later(state, key, grant.expires_at, now);
    } else if (std::exchange(grant.expires_at, *end) != *end) {
      static_cast<void>(state.grants.put(key, grant));  // it is in the table
    }
  }
}

void review_grants_of(ControlPlaneState& state, const Session& client, Now now) {
  const Uuid& id = client.device.id;
  std::vector<std::pair<GrantKey, Grant>> own;
  for (auto at = state.grants.all().lower_bound({.client = id, .resource = {}, .gateway = {}});
       at != state.grants.all().end() && at->first.client == id; ++at) {
    own.emplace_back(*at);
  }
  for (auto& [key, grant] : own) {
    if (grant.source != client.source) {
      grant.source = client.source;
      static_cast<void>(state.grants.put(key, grant));  // it is in the table
    }
    review_grant(state, key, grant, {}, now);
  }
}

void make_room(ControlPlaneState& state, const Uuid& client, Now now) {
  if (!state.grants_swept || now.boot - *state.grants_swept >= kSweepEvery) {
    state.grants_swept = now.boot;
    std::vector<GrantKey> away;
    for (const auto& [key, grant] : state.grants.all()) {
      if (state.presence.gateway(key.gateway) == nullptr) away.push_back(key);
      if (away.size() == kSweptAtOnce) break;
    }
    for (const GrantKey& key : away) reject(state, key, now);
    state.actions.warn("there are " + std::to_string(kGrantsMax) + " grants: " + std::to_string(away.size()) +
                       " over gateways that are offline were dropped");
    if (!away.empty()) return;
  }
  const auto& all = state.grants.all();
  auto oldest = all.end();
  for (auto at = all.lower_bound({.client = client, .resource = {}, .gateway = {}});
       at != all.end() && at->first.client == client; ++at) {
    if (oldest == all.end() || at->second.asked < oldest->second.asked) oldest = at;
  }
  if (oldest != all.end()) reject(state, GrantKey(oldest->first), now);
}

void end_grants_of(ControlPlaneState& state, const std::vector<Uuid>& devices, Now now) {
  const std::unordered_set<Uuid> gone(devices.begin(), devices.end());
  std::vector<GrantKey> own;
  for (const auto& [key, grant] : state.grants.all()) {
    if (gone.contains(key.client) || gone.contains(key.gateway)) own.push_back(key);
  }
  for (const GrantKey& key : own) reject(state, key, now);
  for (const Uuid& device : devices) state.untold.forget(device);  // no id comes back
}

void review_tokens(ControlPlaneState& state, Now now) {
  std::unordered_map<Uuid, bool> valid;
  // A store that cannot answer ends nothing.
  const auto ask = [&](const Uuid& id) {
    const auto [place, fresh] = valid.try_emplace(id, true);
    if (fresh) {
      const auto token = state.store.token(id);
      place->second = !token || (*token && (*token)->valid(unix_seconds(now)));
    }
    return place->second;
  };
  const std::vector<std::pair<GrantKey, Grant>> grants(state.grants.all().begin(), state.grants.all().end());
  for (const auto& [key, grant] : grants) {
    if (!ask(grant.token)) reject(state, key, now);
  }
  for (const auto& [id, session] : state.presence.sessions()) {
    if (ask(session->token)) continue;
    end(state, *session, PortalCounter::token_ended);
  }
}

Timestamp grant_end(const std::optional<policy::UnixSeconds>& policy, const std::optional<Timestamp>& token) noexcept {
  const Timestamp by_policy = policy ? policy->time_since_epoch().count() : kFarFuture;
  return std::min(by_policy, token.value_or(kFarFuture));
}

}  // namespace fireline::portal
