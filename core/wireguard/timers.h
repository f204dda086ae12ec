// The timers of one peer: events set and clear deadlines, and a timer that is due is taken once and acted on by the
// device. What they are for, in the order in which due ones are taken:
//
//   retransmit_handshake   Set when an initiation is sent, for 5 s later plus jitter; cleared when a session is
//                          complete. Due: send another initiation, or give up when the attempt time is over. Also set
//                          for packets that wait behind a handshake that we answered, in case its first packet never
//                          comes.
//   rekey                  Profile::rekey_by_age alone. As initiator of the last session: at 120 s when data was sent
//                          on it, at 165 s when data was received, at 180 s in any case, plus jitter. Due: initiate.
//
//   new_handshake          Set by the first data packet sent with nothing received since, for 10 + 5 s later plus
//                          jitter; cleared by any authentic packet received. Due: initiate, the peer seems to be gone.
//
//   send_keepalive         Set by a data packet received, for 10 s later; cleared by any packet sent. Data that comes
//                          while it is set asks for another one 10 s after this one. Due: send a keepalive, the peer
//                          would take silence for absence.
//   persistent_keepalive   Set by any authentic packet sent or received, for the configured interval later, and when
//                          the interval is configured. Due: send a keepalive.
//
//   expire_sessions        SessionRule::slots alone. At 180 s of the oldest session. Due: forget it.
//   zero_keys              Set when keys are derived, for 540 s later. Due: forget all sessions and handshakes. With
//                          Profile::expiry_fails_peer also set when the peer is made.
//
// Rekeying and expiry that come with a packet at hand (120 s, 165 s, 2^60 messages) are not timers: see device_send.cpp
// and device_receive.cpp. Source: WireGuard paper section 6, the kernel's timers.c, connectivity spec 1.8.
//
// Events only write a time. The heap that wakes the device is touched when a deadline becomes the peer's earliest; one
// that moved away is found out when the heap wakes the peer, at most once per deadline.
// Threads: one owner. No allocation.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/time.h"
#include "core/crypto/random.h"
#include "core/wireguard/constants.h"
#include "core/wireguard/profile.h"

namespace fireline::wireguard {

enum class Timer : std::uint8_t {
  retransmit_handshake,
  rekey,
  new_handshake,
  send_keepalive,
  persistent_keepalive,
  expire_sessions,
  zero_keys,
  count_
};

// Uniform between 0 and kRekeyJitterMax. No secret, so a generator that costs nothing on the packet path will do.
class Jitter {
 public:
  explicit Jitter(crypto::Random& random) noexcept : state_(std::uint64_t{random.u32()} << 32 | random.u32()) {}
  [[nodiscard]] Duration next() noexcept;

 private:
  std::uint64_t state_;
};

class Timers {
 public:
  explicit Timers(const Profile& profile) noexcept;

  // An attempt to get a session begins, or begins anew; it ends with give_up_at(). handshake_initiated follows.
  void attempt_started(Instant now) noexcept;
  [[nodiscard]] bool attempt_running() const noexcept { return give_up_at_ != Instant::max(); }
  [[nodiscard]] bool attempt_over(Instant now) const noexcept { return now >= give_up_at_; }

  void handshake_initiated(Instant now, Jitter& jitter) noexcept;
  // Packets wait and no initiation may be sent before `allowed`.
  void handshake_postponed(Instant allowed, Jitter& jitter) noexcept;
  // Keys exist: the initiator has a response, or the responder has sent one.
  void session_derived(Instant now, bool initiator) noexcept;
  // The session may be used by both: also the responder has a packet.
  void handshake_complete() noexcept;
  // Our initiation was answered by an initiation of the peer; ours is not sent again.
  void handshake_answered() noexcept { handshake_complete(); }
  // Nothing can be sent: an attempt ends without a verdict, and the next path begins another.
  void path_lost() noexcept { handshake_complete(); }
  // Attempts end without a session.
  void given_up(Instant now) noexcept;

  // What is sent and received counts once per train or datagram, not per packet. "Any" includes handshakes and
  // keepalives; data is what is neither.
  void data_sent(Instant now, Jitter& jitter) noexcept;
  void data_received(Instant now, Jitter& jitter) noexcept;
  void any_sent(Instant now) noexcept;
  void any_received(Instant now) noexcept;
  // Timer::send_keepalive is due: whether another one is wanted, to be asked before the keepalive is sent and set
  // behind.
  [[nodiscard]] bool another_keepalive() const noexcept { return another_keepalive_; }
  void keepalive_again(Instant now) noexcept;

  // 0: off. Starts with the next packet, or at once with `start`.
  void set_persistent_keepalive(Instant now, std::uint16_t seconds, bool start) noexcept;
  void set_session_expiry(Instant deadline) noexcept { set(Timer::expire_sessions, deadline); }
  // Timer::persistent_keepalive is due and was acted on, with or without a packet sent.
  void persistent_keepalive_again(Instant now) noexcept;
  // The last session that we initiated is gone without another.
  void session_expired(Instant now, Jitter& jitter) noexcept;
  void set_zero_keys(Instant now) noexcept { set(Timer::zero_keys, now + kZeroKeysAfter); }
  void stop() noexcept;

  // Whether we initiated the last session.
  [[nodiscard]] bool initiated_last() const noexcept { return initiator_; }
  [[nodiscard]] bool armed(Timer timer) const noexcept { return at(timer) != Instant::max(); }
  [[nodiscard]] Instant deadline(Timer timer) const noexcept { return at(timer); }
  // When Timer::new_handshake was set, while it is.
  [[nodiscard]] std::optional<Instant> unanswered_since() const noexcept {
    return armed(Timer::new_handshake) ? std::optional(unanswered_since_) : std::nullopt;
  }
  // Instant::max(): none is set.
  [[nodiscard]] Instant earliest() const noexcept;
  // A timer that is due, cleared.
  [[nodiscard]] std::optional<Timer> take_due(Instant now) noexcept;

 private:
  void set(Timer timer, Instant deadline) noexcept { deadlines_[static_cast<std::size_t>(timer)] = deadline; }
  void clear(Timer timer) noexcept { set(timer, Instant::max()); }
  void bring_forward(Timer timer, Instant deadline) noexcept;
  [[nodiscard]] Instant at(Timer timer) const noexcept { return deadlines_[static_cast<std::size_t>(timer)]; }

  // What every packet touches, one cache line.
  std::array<Instant, static_cast<std::size_t>(Timer::count_)> deadlines_;
  std::uint16_t persistent_seconds_ = 0;  // 0: off
  bool another_keepalive_ = false;        // data came while send_keepalive was set
  bool rekey_by_age_;
  bool initiator_ = false;  // of the last session, and what moved on it: for rekey
  bool data_sent_ = false;
  bool data_received_ = false;

  Instant derived_{};  // the last session's keys
  Duration attempt_time_;
  Instant give_up_at_ = Instant::max();
  Instant unanswered_since_{};
};

}  // namespace fireline::wireguard
