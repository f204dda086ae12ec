// The constants in which WireGuard as its paper and its kernel implementation have it, and WireGuard as Firezone's
// programs speak it, differ. docs/wireguard.md explains each row; tests/unit/core/wireguard/profile_test.cpp holds a
// test per row.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "core/base/time.h"

namespace fireline::wireguard {

enum class TimestampSource : std::uint8_t {
  whitened,  // seconds and nanoseconds of the wall clock, the latter rounded down to 2^24 ns (kernel: hides the clock)
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

enum class QueueRule : std::uint8_t { drop_oldest, drop_newest };

// How many sessions of a peer can open packets.
enum class SessionRule : std::uint8_t {
  three,  // previous, current and next
  slots,  // eight, by session index modulo 8; deleted at 180 s
};

struct Profile {
  Duration rekey_attempt_time;  // give up a handshake after this long
  bool data_restarts_attempt;   // a packet to send starts that time anew
  Duration stop_using_after;    // as initiator: no new data on a session this old
  bool rekey_by_age;            // as initiator: rekey by timer at 120, 165 and 180 s, not only with a packet at hand
  bool expiry_fails_peer;       // attempt given up, or 540 s without a session: forget sessions, report the peer failed
  bool roaming;                 // the peer's endpoint follows authenticated packets; else Device::set_path sets it
  bool persistent_keepalive;    // configurable at all
  bool confirm_with_keepalive;  // the initiator's first packet is a keepalive also when packets are queued
  bool keeps_earlier_initiation;  // responses to our last two initiations count, also behind an answer of ours
  std::uint16_t padding;          // plaintext is padded to a multiple of this (never beyond the MTU); 1: none
  std::uint16_t replay_window;    // accepted counters behind the greatest
  SessionRule sessions;
  std::uint16_t queued_packets;  // per peer, while there is no session
  QueueRule queue;
  TimestampSource timestamp;
  LoadRule load_rule;
  std::uint16_t handshakes_per_second;  // LoadRule::per_window: per device; queue_depth: per source address, burst 5
  CookieRule cookie;
  bool goodbyes;  // a peer's goodbye packet (goodbye.h) is taken out of the data and reported
};

using namespace std::chrono_literals;

inline constexpr Profile kPaperProfile{
    .rekey_attempt_time = 90s,
    .data_restarts_attempt = true,
    .stop_using_after = 180s,
    .rekey_by_age = false,
    .expiry_fails_peer = false,
    .roaming = true,
    .persistent_keepalive = true,
    .confirm_with_keepalive = false,
    .keeps_earlier_initiation = false,
    .padding = 16,
    .replay_window = 8128,  // the kernel's COUNTER_WINDOW_SIZE: 8,192 bits less one word
    .sessions = SessionRule::three,
    .queued_packets = 128,  // the kernel's MAX_STAGED_PACKETS
    .queue = QueueRule::drop_oldest,
    .timestamp = TimestampSource::whitened,
    .load_rule = LoadRule::queue_depth,
    .handshakes_per_second = 20,
    .cookie = CookieRule::secret,
    .goodbyes = false,
};

inline constexpr Profile kFirezoneProfile{
    .rekey_attempt_time = 15s,
    .data_restarts_attempt = false,
    .stop_using_after = 170s,
    .rekey_by_age = true,
    .expiry_fails_peer = true,
    .roaming = false,
    .persistent_keepalive = false,
    .confirm_with_keepalive = true,
    .keeps_earlier_initiation = true,
    .padding = 1,
    .replay_window = 1023,  // 1,024 counters, the greatest one included
    .sessions = SessionRule::slots,
    .queued_packets = 256,
    .queue = QueueRule::drop_newest,
    .timestamp = TimestampSource::node_start,
    .load_rule = LoadRule::per_window,
    .handshakes_per_second = 100,
    .cookie = CookieRule::period,
    .goodbyes = true,
};

}  // namespace fireline::wireguard
