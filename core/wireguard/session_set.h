// The sessions of one peer: which one seals, which ones open, and which one waits for its first packet.
//
// SessionRule::three, as the kernel's keypairs: `previous`, `current` and `next`. A session that we initiated becomes
// current at once; one that we answered waits as next until a packet on it proves that the initiator has the keys.
// SessionRule::slots, as Firezone's: eight places by session index modulo 8, each overwritten by the next session with
// that number; an answered session becomes current with its first packet unless a later one already is.
//
// Source: WireGuard paper section 6.3; kernel add_new_keypair; connectivity spec 1.6 and 1.7. Threads: one owner.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/wireguard/profile.h"
#include "core/wireguard/session.h"

namespace fireline::wireguard {

class SessionSet {
 public:
  static constexpr std::size_t kSlots = 8;

  explicit SessionSet(SessionRule rule) noexcept : rule_(rule) {}
  SessionSet(const SessionSet&) = delete;
  SessionSet& operator=(const SessionSet&) = delete;
  ~SessionSet() { clear(); }

  // What seals; null: none. Its age is the caller's to check.
  [[nodiscard]] Session* current() const noexcept { return current_; }
  // Answered and not confirmed yet.
  [[nodiscard]] Session* next() const noexcept { return next_; }
  [[nodiscard]] Session* find(std::uint32_t local_index) const noexcept {
    if (current_index_ == local_index && current_ != nullptr) return current_;
    for (std::size_t i = 0; i < kSlots; ++i) {
      if (indices_[i] == local_index && sessions_[i]) return sessions_[i].get();
    }
    return nullptr;
  }

  // A session of which initiator and local_index are set.
  void add(SessionRef session) noexcept;
  // An authentic packet came on `session`: true when that made it current for the first time.
  bool confirm(Session& session) noexcept;
  void clear() noexcept;
  // Lets go of sessions born `age` ago or earlier.
  void drop_older_than(Duration age, Instant now) noexcept;
  // The earliest birth, or Instant::max().
  [[nodiscard]] Instant oldest_birth() const noexcept;
  [[nodiscard]] bool empty() const noexcept;

 private:
  void make_current(Session* session) noexcept;
  void add_to_three(SessionRef session) noexcept;
  void add_to_slots(SessionRef session) noexcept;
  void store(std::size_t slot, SessionRef session) noexcept;
  void drop(const Session* session) noexcept;
  void drop_slot(std::size_t slot) noexcept;

  Session* current_ = nullptr;  // nearly every packet's: found without a look at the others
  std::uint32_t current_index_ = 0;
  SessionRule rule_;
  std::array<std::uint32_t, kSlots> indices_{};  // beside the sessions: a look-up reads two cache lines at most
  std::array<SessionRef, kSlots> sessions_;
  Session* next_ = nullptr;
  Session* previous_ = nullptr;
  std::uint64_t added_ = 0;
};

}  // namespace fireline::wireguard
