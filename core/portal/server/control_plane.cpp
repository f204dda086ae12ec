#include "core/portal/server/control_plane.h"

#include <algorithm>

#include "core/portal/client_codec.h"
#include "core/portal/frame.h"
#include "core/portal/gateway_codec.h"
#include "core/portal/relay_codec.h"
#include "core/portal/server/client_channel.h"
#include "core/portal/server/control_plane_state.h"
#include "core/portal/server/gateway_channel.h"
#include "core/portal/server/logins.h"
#include "core/portal/server/policy_change.h"
#include "core/portal/server/relay_channel.h"

namespace fireline::portal {
namespace {

constexpr std::string_view kUnknownMessage = "unknown_message";
constexpr std::string_view kJoinCrashed = "join crashed";

}  // namespace

ControlPlane::ControlPlane(std::shared_ptr<const policy::Document> document, Store& store, GrantStore& grants,
                           crypto::Random& random, Now now)
    : state_(std::make_unique<ControlPlaneState>(std::move(document), store, grants, random)) {
  // While the portal was away tokens and policy may have changed.
  review_tokens(*state_, now);
  review_everybody(*state_, now);
  plan_review(now);
}

ControlPlane::~ControlPlane() = default;

Result<Role, Refusal> ControlPlane::admit(ConnectionId id, const LoginRequest& request, Now now) {
  const auto session = admit_login(*state_, id, request, now);
  if (!session) return err(session.error());
  return (*session)->role;
}

void ControlPlane::text(ConnectionId id, std::string_view text, Now now) {
  Session* const session = state_->presence.find(id);
  if (session == nullptr || session->ending) return;
  session->asked.reset();
  const auto frame = read_program_frame(text);
  if (!frame) return state_->counters.add(PortalCounter::frame_bad);
  if (frame->topic == kHeartbeatTopic && frame->event == kHeartbeatEvent) {
    return state_->actions.send(id, write_ok(kHeartbeatTopic, frame->ref));
  }
  const bool own = frame->topic == name_of(session->role);
  if (own && frame->event == kJoinEvent) return joined(*session, *frame, now);
  if (own && session->channel == JoinState::superseded) {
    return state_->counters.add(PortalCounter::frame_superseded);
  }
  if (!own || session->channel != JoinState::joined) {
    state_->counters.add(PortalCounter::frame_topic);
    return state_->actions.send(id, write_error(frame->topic, frame->ref, kUnmatchedTopic));
  }
  if (frame->event == kLeaveEvent) {
    state_->actions.send(id, write_ok(frame->topic, frame->ref));
    state_->actions.send(id, write_push(frame->topic, kCloseEvent, kEmptyObject));
    return left(*session, now);
  }
  message(*session, *frame, now);
}

// The reply goes before `init`, and a second join has no `phx_close`: a baseline program would reconnect for it.
void ControlPlane::joined(Session& session, const ProgramFrame& frame, Now now) {
  const auto topic = name_of(session.role);
  if (session.role == Role::relay) {
    const auto secret = read_relay_join(frame.payload);
    if (!secret) return state_->actions.send(session.id, write_error(topic, frame.ref, kJoinCrashed));
    if (session.channel != JoinState::unjoined) relay_left(*state_, session, now);
    state_->presence.leave(session);
    state_->actions.send(session.id, write_ok(topic, frame.ref));
    // An error would end the relay for good; a lost connection has it try again.
    if (!relay_joined(*state_, session, secret->view(), now)) state_->actions.close(session.id);
    return;
  }
  state_->actions.send(session.id, write_ok(topic, frame.ref));
  if (state_->presence.join(session) != nullptr) state_->counters.add(PortalCounter::device_superseded);
  session.role == Role::client ? client_joined(*state_, session, now) : gateway_joined(*state_, session, now);
}

void ControlPlane::left(Session& session, Now now) {
  if (session.role == Role::relay && session.channel != JoinState::unjoined) relay_left(*state_, session, now);
  const bool stood_for_device = session.channel == JoinState::joined;
  state_->presence.leave(session);
  if (!stood_for_device) return;
  // The last one's program to connect anew is the device again. All of them: some may be half-open.
  for (const ConnectionId older : state_->presence.superseded(session)) state_->actions.close(older);
}

void ControlPlane::message(Session& session, const ProgramFrame& frame, Now now) {
  if (session.role == Role::client) {
    if (const auto request = read_client_to_portal(frame.event, frame.payload)) {
      return client_asks(*state_, session, *request, now);
    }
  } else if (session.role == Role::gateway) {
    if (const auto request = read_gateway_to_portal(frame.event, frame.payload)) {
      return gateway_says(*state_, session, *request, frame.ref);
    }
  }
  state_->counters.add(PortalCounter::frame_unknown);
  state_->actions.send(session.id, write_error(frame.topic, frame.ref, kUnknownMessage));
}

void ControlPlane::closed(ConnectionId id, Now now) {
  Session* const session = state_->presence.find(id);
  if (session == nullptr) return;
  left(*session, now);
  if (session->role == Role::gateway) state_->flows.gateway_closed(id);
  note_end(*state_, *session, now);
  state_->presence.remove(id);
}

void ControlPlane::set_policy(std::shared_ptr<const policy::Document> document, Now now) {
  change_policy(*state_, std::move(document), now);
  plan_review(now);
}

void ControlPlane::tokens_changed(Now now) {
  review_tokens(*state_, now);
}

void ControlPlane::set_unsent_bytes(UnsentBytes unsent_bytes) noexcept {
  state_->unsent_bytes = std::move(unsent_bytes);
}

bool ControlPlane::commit() {
  state_->grants.commit();
  return state_->store.commit();
}

void ControlPlane::handle_timeout(Now now) {
  expire_relays(*state_, now);
  state_->flows.expire(now.boot);
  tell_rejections(*state_, now);
  if (now.boot < next_review_) return;
  review_tokens(*state_, now);
  review_everybody(*state_, now);
  note_connected(*state_, now);
  plan_review(now);
}

Instant ControlPlane::poll_timeout() const noexcept {
  return std::min({next_review_, state_->relays.next_departure().value_or(Instant::max()),
                   state_->rejections_due.value_or(Instant::max())});
}

std::optional<Action> ControlPlane::poll_action() {
  return state_->actions.poll();
}

std::size_t ControlPlane::pending_bytes() const noexcept {
  return state_->actions.bytes();
}

const Counters<PortalCounter>& ControlPlane::counters() const noexcept {
  return state_->counters;
}

void ControlPlane::plan_review(Now now) {
  next_review_ = now.boot + kReviewEvery;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now.wall);
  // Policies may name times beyond the clock's range.
  const auto change = policy::next_change(*state_->document, seconds);
  if (change && *change - seconds < std::chrono::floor<std::chrono::seconds>(kReviewEvery)) {
    next_review_ = std::min(next_review_, now.boot + (UnixTime(*change) - now.wall));
  }
}

}  // namespace fireline::portal
