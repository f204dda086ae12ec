// One session: a pair of transport keys and everything that counts along with them.
// Source: WireGuard paper sections 5.4.5, 5.4.6 and 6.
//
// Lifetime: shared by its peer's SessionSet and by every Work that was planned with it, so that keys outlive the jobs
// that borrow them. A session that its set let go has no peer any more: what comes back for it is dropped. The keys are
// erased with the last reference. Threads: one owner (the count is not atomic); jobs read keys alone.
#pragma once
#include <cstdint>
#include <utility>

#include "core/base/prefetch.h"
#include "core/base/slab.h"
#include "core/base/time.h"
#include "core/crypto/keys.h"
#include "core/wireguard/constants.h"
#include "core/wireguard/replay_window.h"

namespace fireline::wireguard {

struct Peer;

// What a packet needs is in two cache lines, and in a third one of the replay window's bits.
struct alignas(kCacheLineBytes) Session {
  Session(Peer* owner, crypto::Key send, crypto::Key receive, std::size_t replay_older) noexcept
      : send_key(std::move(send)), receive_key(std::move(receive)), peer(owner), replay(replay_older) {}

  crypto::Key send_key;
  std::uint64_t next_counter = 0;
  std::uint64_t sequence = 0;      // of its set: the later session has the greater number
  std::uint32_t remote_index = 0;  // receiver index of what goes out
  std::uint32_t local_index = 0;   // receiver index of what comes in
  std::uint32_t references = 0;    // SessionRef's
  bool initiator = false;

  alignas(kCacheLineBytes) crypto::Key receive_key;
  Peer* peer;     // null once the peer's set let the session go
  Instant birth;  // when the keys were derived
  ReplayWindow replay;
  Slab<Session>* slab = nullptr;  // where it lies; null: on the heap

  void prefetch_sending() const noexcept {
    prefetch_line(this);
    prefetch_line(&receive_key);
  }
  void prefetch_receiving(std::uint64_t counter) const noexcept {
    prefetch_sending();
    replay.prefetch(counter);
  }

  [[nodiscard]] bool older_than(Duration age, Instant now) const noexcept { return now - birth >= age; }
  // Whether so many more messages may be sealed. `stop_after` is for a session of our own making.
  [[nodiscard]] bool may_send(Instant now, Duration stop_after, std::uint64_t messages) const noexcept {
    return !older_than(initiator ? stop_after : kRejectAfterTime, now) &&
           next_counter + messages <= kRejectAfterMessages;
  }
  [[nodiscard]] bool may_receive(Instant now) const noexcept { return !older_than(kRejectAfterTime, now); }
};

class SessionRef {
 public:
  SessionRef() noexcept = default;
  explicit SessionRef(Session* session) noexcept : session_(session) {
    if (session_ != nullptr) ++session_->references;
  }
  SessionRef(const SessionRef& other) noexcept : SessionRef(other.session_) {}
  SessionRef(SessionRef&& other) noexcept : session_(std::exchange(other.session_, nullptr)) {}
  SessionRef& operator=(SessionRef other) noexcept {
    std::swap(session_, other.session_);
    return *this;
  }
  ~SessionRef() {
    if (session_ != nullptr && --session_->references == 0) drop();
  }

  [[nodiscard]] Session* get() const noexcept { return session_; }
  Session* operator->() const noexcept { return session_; }
  explicit operator bool() const noexcept { return session_ != nullptr; }

 private:
  void drop() noexcept {
    if (session_->slab != nullptr) return session_->slab->drop(session_);
    delete session_;
  }

  Session* session_ = nullptr;
};

}  // namespace fireline::wireguard
