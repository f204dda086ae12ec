#include "core/portal/server/presence.h"

#include <algorithm>
#include <utility>

namespace fireline::portal {
namespace {

const Uuid& online_id(const Session& session) noexcept {
  return session.role == Role::relay ? session.relay.id : session.device.id;
}

}  // namespace

Session& Presence::add(std::unique_ptr<Session> session) {
  Session& added = *session;
  sessions_[added.id] = std::move(session);
  return added;
}

Session* Presence::find(ConnectionId id) noexcept {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

Session* Presence::join(Session& session) {
  Session*& place = table(session.role)[online_id(session)];
  Session* const before = std::exchange(place, &session);
  session.channel = JoinState::joined;
  if (before == nullptr || before == &session) return nullptr;
  before->channel = JoinState::superseded;
  return before;
}

void Presence::leave(Session& session) {
  Online& online = table(session.role);
  const auto found = online.find(online_id(session));
  if (found != online.end() && found->second == &session) online.erase(found);
  session.channel = JoinState::unjoined;
}

std::vector<ConnectionId> Presence::superseded(const Session& session) const {
  std::vector<ConnectionId> found;
  for (const auto& [id, other] : sessions_) {
    if (other->channel != JoinState::superseded || other->role != session.role) continue;
    if (online_id(*other) == online_id(session)) found.push_back(id);
  }
  std::ranges::sort(found);
  return found;
}

void Presence::remove(ConnectionId id) {
  Session* const session = find(id);
  if (session == nullptr) return;
  leave(*session);
  sessions_.erase(id);
}

Session* Presence::find_in(const Online& online, const Uuid& device) noexcept {
  const auto found = online.find(device);
  return found == online.end() ? nullptr : found->second;
}

Presence::Online& Presence::table(Role role) noexcept {
  switch (role) {
    case Role::client:
      return clients_;
    case Role::gateway:
      return gateways_;
    case Role::relay:
      break;
  }
  return relays_;
}

}  // namespace fireline::portal
