#include "tests/unit/core/tunnel/whole_system_portal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "core/portal/frame.h"
#include "tests/sim/clock.h"

namespace fireline::tunnel::test {

using portal::ConnectionId;

PortalHost::PortalHost(sim::EventQueue& queue, policy::Document document)
    : queue_(queue), document_(std::make_shared<policy::Document>(std::move(document))) {
  store.add_token("alice", portal::TokenKind::client, "alice");
  store.add_token("robot", portal::TokenKind::client, "robot");
  store.add_token("lab", portal::TokenKind::gateway, "lab");
  store.add_token("away", portal::TokenKind::gateway, "away");
  store.add_token("relay", portal::TokenKind::relay, "");
  start();
}

void PortalHost::start() {
  plane_ = std::make_unique<portal::ControlPlane>(document_, store, grants, random_, now());
  drain();
}

void PortalHost::kill() {
  plane_.reset();
  for (const auto& [id, line] : std::exchange(lines_, {})) {
    queue_.after(kPortalDelay, [caller = line.caller, lost = id] { caller->on_closed(lost); });
  }
}

void PortalHost::set_policy(policy::Document document) {
  document_ = std::make_shared<policy::Document>(std::move(document));
  if (!plane_) return;
  plane_->set_policy(document_, now());
  drain();
}

void PortalHost::revoke(std::string_view token) {
  store.named(token).revoked = now().wall.time_since_epoch() / std::chrono::seconds(1);
  plane_->tokens_changed(now());
  drain();
}

ConnectionId PortalHost::connect(PortalCaller& caller, std::string name, std::string target, std::string user_agent) {
  const auto id = ConnectionId(next_id_++);
  lines_[id] = {.caller = &caller, .name = std::move(name)};
  queue_.after(kPortalDelay, [this, id, &caller, to = std::move(target), agent = std::move(user_agent)] {
    if (plane_) return log_in(id, to, agent);
    lines_.erase(id);
    queue_.after(kPortalDelay, [id, &caller] { caller.on_closed(id); });
  });
  return id;
}

void PortalHost::send(ConnectionId from, std::string text) {
  queue_.after(kPortalDelay, [this, from, frame = std::move(text)] {
    if (!plane_ || !lines_.contains(from)) return;
    plane_->text(from, frame, now());
    drain();
  });
}

void PortalHost::hang_up(ConnectionId id) {
  queue_.after(kPortalDelay, [this, id] {
    if (lines_.erase(id) == 0 || !plane_) return;
    plane_->closed(id, now());
    drain();
  });
}

std::optional<Instant> PortalHost::poll_timeout() const {
  return plane_ ? std::optional(plane_->poll_timeout()) : std::nullopt;
}

void PortalHost::handle_timeout() {
  plane_->handle_timeout(now());
  drain();
}

Now PortalHost::now() const {
  return sim::now_at(queue_.now());
}

std::size_t PortalHost::count_told(std::string_view line) const {
  return static_cast<std::size_t>(std::ranges::count(told, line));
}

void PortalHost::log_in(ConnectionId id, const std::string& target, const std::string& user_agent) {
  const auto line = lines_.find(id);
  if (line == lines_.end()) return;  // hung up meanwhile
  PortalCaller* const caller = line->second.caller;
  const auto role = plane_->admit(id,
                                  {.target = target,
                                   .user_agent = user_agent,
                                   .authorization = {},
                                   .source = IpAddress::parse("192.0.2.7").value()},
                                  now());
  if (role) {
    line->second.admitted = true;
    queue_.after(kPortalDelay, [caller, id] { caller->on_opened(id); });
  } else {
    lines_.erase(line);
    queue_.after(kPortalDelay, [caller, id, why = role.error()] { caller->on_refused(id, why); });
  }
  drain();
}

void PortalHost::drain() {
  EXPECT_TRUE(plane_->commit());
  while (auto action = plane_->poll_action()) {
    if (const auto* send = std::get_if<portal::SendFrame>(&*action)) {
      deliver(send->to, send->shared ? *send->shared : send->text);
    }
    if (const auto* end = std::get_if<portal::CloseConnection>(&*action)) close(end->id);
  }
}

void PortalHost::deliver(ConnectionId to, const std::string& text) {
  const auto line = lines_.find(to);
  if (line == lines_.end()) return;
  const auto frame = portal::read_server_frame(text);
  if (const auto* push = frame ? std::get_if<portal::Push>(&*frame) : nullptr) {
    told.push_back(line->second.name + " < " + push->event);
  }
  queue_.after(kPortalDelay, [caller = line->second.caller, to, text] { caller->on_text(to, text); });
}

void PortalHost::close(ConnectionId id) {
  const auto line = lines_.find(id);
  if (line == lines_.end()) return;
  queue_.after(kPortalDelay, [caller = line->second.caller, id] { caller->on_closed(id); });
  lines_.erase(line);
  plane_->closed(id, now());
}

}  // namespace fireline::tunnel::test
