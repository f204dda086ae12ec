#include "core/wireguard/session_set.h"

#include <algorithm>
#include <utility>

namespace fireline::wireguard {

void SessionSet::add(SessionRef session) noexcept {
  session->sequence = ++added_;
  if (rule_ == SessionRule::three) {
    add_to_three(std::move(session));
  } else {
    add_to_slots(std::move(session));
  }
}

bool SessionSet::confirm(Session& session) noexcept {
  if (&session == current_) return false;
  if (rule_ == SessionRule::three) {
    if (&session != next_) return false;
    drop(previous_);
    previous_ = current_;
    make_current(std::exchange(next_, nullptr));
    return true;
  }
  if (current_ != nullptr && session.sequence < current_->sequence) return false;
  if (&session == next_) next_ = nullptr;
  make_current(&session);
  return true;
}

void SessionSet::clear() noexcept {
  for (std::size_t slot = 0; slot < kSlots; ++slot) drop_slot(slot);
}

void SessionSet::drop_older_than(Duration age, Instant now) noexcept {
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    if (sessions_[slot] && sessions_[slot]->older_than(age, now)) drop_slot(slot);
  }
}

Instant SessionSet::oldest_birth() const noexcept {
  Instant oldest = Instant::max();
  for (const SessionRef& session : sessions_) {
    if (session) oldest = std::min(oldest, session->birth);
  }
  return oldest;
}

bool SessionSet::empty() const noexcept {
  return std::ranges::none_of(sessions_, [](const SessionRef& session) { return static_cast<bool>(session); });
}

void SessionSet::make_current(Session* session) noexcept {
  current_ = session;
  current_index_ = session->local_index;
}

void SessionSet::add_to_three(SessionRef session) noexcept {
  Session* added = session.get();
  if (added->initiator) {
    // A next that was never confirmed is kept as previous: its initiator may still send on it.
    Session* demoted = next_ != nullptr ? std::exchange(next_, nullptr) : current_;
    if (demoted != current_) drop(current_);
    drop(previous_);
    previous_ = demoted;
    make_current(added);
  } else {
    drop(next_);
    drop(previous_);
    next_ = added;
  }
  const auto free = std::ranges::find_if(sessions_, [](const SessionRef& kept) { return !kept; });
  store(static_cast<std::size_t>(free - sessions_.begin()), std::move(session));
}

void SessionSet::add_to_slots(SessionRef session) noexcept {
  Session* added = session.get();
  const std::size_t slot = added->local_index % kSlots;
  drop_slot(slot);
  if (added->initiator) {
    make_current(added);
  } else {
    next_ = added;
  }
  store(slot, std::move(session));
}

void SessionSet::store(std::size_t slot, SessionRef session) noexcept {
  indices_[slot] = session->local_index;
  sessions_[slot] = std::move(session);
}

void SessionSet::drop(const Session* session) noexcept {
  if (session == nullptr) return;
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    if (sessions_[slot].get() == session) return drop_slot(slot);
  }
}

void SessionSet::drop_slot(std::size_t slot) noexcept {
  Session* session = sessions_[slot].get();
  if (session == nullptr) return;
  for (Session** role : {&current_, &next_, &previous_}) {
    if (*role == session) *role = nullptr;
  }
  session->peer = nullptr;
  sessions_[slot] = SessionRef();
  indices_[slot] = 0;
}

}  // namespace fireline::wireguard
