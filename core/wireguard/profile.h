// The constants in which WireGuard as its paper has it and WireGuard as Firezone's programs speak it differ.
// docs/wireguard.md explains each row; tests/unit/core/wireguard/profile_test.cpp holds one test per row.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "core/base/time.h"

namespace fireline::wireguard {

enum class TimestampSource : std::uint8_t {
  whitened,    // seconds and nanoseconds of the wall clock, the latter rounded down to 2^24 ns (kernel: hides the clock)
  node_start,  // wall clock at the node's start plus boot time since, full resolution
};

enum class LoadRule : std::uint8_t {
  queue_depth,  // under load while the handshake queue is at least an eighth full, and for 1 s after
  per_window,   // under load from message number handshakes_per_second + 1 of each second
};

enum class CookieRule : std::uint8_t {
  secret,  // a new secret every 120 s; cookie over source address and port (paper, kernel)
  period,  // one secret; cookie over the number of the 128-second period and the source address, without the port
};

struct Profile {
  Duration rekey_attempt_time;     // give up a handshake after this long
  Duration stop_using_after;       // as initiator: no new data on a session this old
  bool roaming;                    // the peer's endpoint follows authenticated packets
  bool persistent_keepalive;       // configurable at all
  bool expiry_fails_peer;          // attempts given up: report the peer as failed (else: wait for the next packet)
  bool responder_rekeys_on_expiry_silence;  // see docs/wireguard.md, row "no answer"
  std::uint16_t padding;           // plaintext is padded to a multiple of this (never beyond the MTU); 1: none
  std::uint16_t replay_window;     // counters
  std::uint8_t sessions_kept;      // 3: previous, current, next; 8: one per slot
  std::uint16_t queued_packets;    // per peer, while there is no session
  TimestampSource timestamp;
  LoadRule load_rule;
  std::uint16_t handshakes_per_second;  // LoadRule::per_window: per device; queue_depth: per source address, burst 5
  CookieRule cookie;
};

using namespace std::chrono_literals;

inline constexpr Profile kPaperProfile{
    .rekey_attempt_time = 90s,
    .stop_using_after = 180s,
    .roaming = true,
    .persistent_keepalive = true,
    .expiry_fails_peer = false,
    .responder_rekeys_on_expiry_silence = true,
    .padding = 16,
    .replay_window = 8192,
    .sessions_kept = 3,
    .queued_packets = 1024,
    .timestamp = TimestampSource::whitened,
    .load_rule = LoadRule::queue_depth,
    .handshakes_per_second = 20,
    .cookie = CookieRule::secret,
};

inline constexpr Profile kFirezoneProfile{
    .rekey_attempt_time = 15s,
    .stop_using_after = 170s,
    .roaming = false,
    .persistent_keepalive = false,
    .expiry_fails_peer = true,
    .responder_rekeys_on_expiry_silence = false,
    .padding = 1,
    .replay_window = 1024,
    .sessions_kept = 8,
    .queued_packets = 256,
    .timestamp = TimestampSource::node_start,
    .load_rule = LoadRule::per_window,
    .handshakes_per_second = 100,
    .cookie = CookieRule::period,
};

}  // namespace fireline::wireguard
