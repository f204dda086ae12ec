// Load through a relay, or through the kernel in its place, in one direction: one sender thread and one counting
// receiver thread, each pinned to a core of its own where there are two; or several lanes, each with both threads on
// one core, where the sender sleeps between sends. Datagrams are numbered per flow; goodput is what came, not what was
// sent. Everything leaves by UDP GSO; whether a train crosses the veth pair whole or as single
// datagrams is the lab's setting, so that the sender is fast enough for both.
//
//   payload:  0  sequence number in its flow (8)    8  flow (4)    12  run (4)    then zeros
#pragma once
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tools/bench/turn_clients.h"

namespace fireline::bench {

enum class Direction : std::uint8_t { to_peer, to_client };

inline constexpr std::size_t kLoadHeaderBytes = 16;  // the least payload
inline constexpr std::size_t kSingleBurst = 4;       // of a paced load of singles: few, so that the pace stays fine
inline constexpr std::size_t kFloodBurst = 16;       // of an unpaced one: fits into the smallest receive buffer
inline constexpr std::size_t kRelayTrain = 44;       // of a load of trains

struct RelayLoad {
  Direction direction = Direction::to_peer;
  std::size_t payload_bytes = 1280;
  std::size_t burst = 1;            // datagrams of one send; fewer when they would be too long for one
  double datagrams_per_second = 0;  // over all flows; 0: as fast as it goes
  std::chrono::milliseconds time{1000};
};

// The kernel sends what a connected socket sends through one of the device's queues, that of the core of its first
// send: of several lanes, number n is opened on core n.
struct Lane {
  std::span<const Flow> flows;  // at least one; all of one peer
  int peer_socket = -1;
};

struct RelayResult {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;  // without duplicates
  std::uint64_t reordered = 0;
  std::uint64_t duplicates = 0;
  double seconds = 0;            // of sending
  double arriving_seconds = 0;   // from the first send to the last arrival: a relay with long queues takes longer
  std::vector<double> per_flow;  // received
  [[nodiscard]] double loss() const noexcept {
    return sent == 0 ? 0 : 1 - static_cast<double>(received) / static_cast<double>(sent);
  }
  [[nodiscard]] double offered() const noexcept { return static_cast<double>(sent) / seconds; }  // per second
  [[nodiscard]] double carried() const noexcept {
    return static_cast<double>(received) / std::max(seconds, arriving_seconds);
  }  // per second
};

// All lanes share the rate equally, and so do the flows of a lane, call by call. Throws BenchError.
[[nodiscard]] RelayResult run_relay_load(std::span<const Lane> lanes, const RelayLoad& load);

// Round trips client to peer and back, one at a time, in microseconds; the peer echoes. Lost ones are left out.
[[nodiscard]] std::vector<double> relay_round_trips(const Flow& flow, int peer_socket, std::size_t payload_bytes,
                                                    std::size_t count);

// Jain's index of fairness: 1 when all are equal, 1/n when one has all. 0 without values or when all are zero.
[[nodiscard]] double jain_index(std::span<const double> shares) noexcept;

}  // namespace fireline::bench
