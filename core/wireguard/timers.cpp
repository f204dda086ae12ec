#include "core/wireguard/timers.h"

#include <algorithm>

namespace fireline::wireguard {
namespace {
// Data that comes in this late in a session's life leaves just enough time for a new one.
constexpr Duration kRekeyAfterReceiving = kRejectAfterTime - kKeepaliveTimeout - kRekeyTimeout;
}  // namespace

Duration Jitter::next() noexcept {
  // SplitMix64 (Steele, Lea, Flood 2014).
  std::uint64_t z = state_ += 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  z ^= z >> 31;
  return Duration(static_cast<Duration::rep>(z % (static_cast<std::uint64_t>(kRekeyJitterMax.count()) + 1)));
}

Timers::Timers(const Profile& profile) noexcept
    : rekey_by_age_(profile.rekey_by_age), attempt_time_(profile.rekey_attempt_time) {
  deadlines_.fill(Instant::max());
}

void Timers::attempt_started(Instant now) noexcept {
  give_up_at_ = now + attempt_time_;
}

void Timers::handshake_initiated(Instant now, Jitter& jitter) noexcept {
  set(Timer::retransmit_handshake, std::min(now + kRekeyTimeout + jitter.next(), give_up_at_));
}

void Timers::handshake_postponed(Instant allowed, Jitter& jitter) noexcept {
  if (!armed(Timer::retransmit_handshake)) set(Timer::retransmit_handshake, allowed + jitter.next());
}

void Timers::session_derived(Instant now, bool initiator) noexcept {
  set_zero_keys(now);
  clear(Timer::rekey);
  derived_ = now;
  initiator_ = initiator;
  data_sent_ = false;
  data_received_ = false;
}

void Timers::handshake_complete() noexcept {
  clear(Timer::retransmit_handshake);
  give_up_at_ = Instant::max();
}

void Timers::given_up(Instant now) noexcept {
  clear(Timer::retransmit_handshake);
  clear(Timer::send_keepalive);
  give_up_at_ = Instant::max();
  if (!armed(Timer::zero_keys)) set_zero_keys(now);
}

void Timers::data_sent(Instant now, Jitter& jitter) noexcept {
  if (!armed(Timer::new_handshake)) {
    set(Timer::new_handshake, now + kKeepaliveTimeout + kRekeyTimeout + jitter.next());
    unanswered_since_ = now;
  }
  if (!rekey_by_age_ || !initiator_ || data_sent_) return;
  data_sent_ = true;
  bring_forward(Timer::rekey, std::max(derived_ + kRekeyAfterTime, now) + jitter.next());
}

void Timers::data_received(Instant now, Jitter& jitter) noexcept {
  if (!armed(Timer::send_keepalive)) {
    set(Timer::send_keepalive, now + kKeepaliveTimeout);
  } else {
    another_keepalive_ = true;
  }
  if (!rekey_by_age_ || !initiator_ || data_received_) return;
  data_received_ = true;
  bring_forward(Timer::rekey, std::max(derived_ + kRekeyAfterReceiving, now) + jitter.next());
}

void Timers::any_sent(Instant now) noexcept {
  clear(Timer::send_keepalive);
  another_keepalive_ = false;
  persistent_keepalive_again(now);
}

void Timers::any_received(Instant now) noexcept {
  clear(Timer::new_handshake);
  persistent_keepalive_again(now);
}

void Timers::keepalive_again(Instant now) noexcept {
  set(Timer::send_keepalive, now + kKeepaliveTimeout);
}

void Timers::set_persistent_keepalive(Instant now, std::uint16_t seconds, bool start) noexcept {
  persistent_seconds_ = seconds;
  if (seconds == 0) return clear(Timer::persistent_keepalive);
  if (start) bring_forward(Timer::persistent_keepalive, now + std::chrono::seconds(seconds));
}

void Timers::persistent_keepalive_again(Instant now) noexcept {
  if (persistent_seconds_ == 0) return;
  set(Timer::persistent_keepalive, now + std::chrono::seconds(persistent_seconds_));
}

void Timers::session_expired(Instant now, Jitter& jitter) noexcept {
  bring_forward(Timer::rekey, now + jitter.next());
}

void Timers::stop() noexcept {
  deadlines_.fill(Instant::max());
  give_up_at_ = Instant::max();
  another_keepalive_ = false;
  initiator_ = false;
  data_sent_ = false;
  data_received_ = false;
}

Instant Timers::earliest() const noexcept {
  return *std::ranges::min_element(deadlines_);
}

std::optional<Timer> Timers::take_due(Instant now) noexcept {
  for (std::size_t i = 0; i < deadlines_.size(); ++i) {
    if (deadlines_[i] > now) continue;
    deadlines_[i] = Instant::max();
    return static_cast<Timer>(i);
  }
  return std::nullopt;
}

void Timers::bring_forward(Timer timer, Instant deadline) noexcept {
  set(timer, std::min(at(timer), deadline));
}

}  // namespace fireline::wireguard
