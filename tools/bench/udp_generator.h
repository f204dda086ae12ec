// Our own UDP load: one sender thread and one counting receiver thread, each pinned to a core of its own where there
// are two. Datagrams are numbered, arrivals are counted: goodput is what came, not what was sent.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "tools/bench/namespace_pair.h"

namespace fireline::bench {

struct UdpLoad {
  std::size_t payload_bytes = 1392;  // of one datagram
  // Datagrams of one send call: 1 is a single-datagram sender, more is UDP GSO.
  std::size_t train = 1;
  double datagrams_per_second = 0;  // 0: as fast as it goes
  std::chrono::milliseconds time{2000};
  // As QUIC's bulk senders: the receiver acknowledges what each receive call brought, a window (quic_window.h) says how
  // many datagrams may be on their way, and no rate is given.
  bool quic = false;
};

struct UdpResult {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;  // without duplicates
  std::uint64_t reordered = 0;
  std::uint64_t duplicates = 0;
  double seconds = 0;           // of the sender
  double arriving_seconds = 0;  // from the first send to the last arrival, at least `seconds`
  double offered = 0;           // payload bits per second
  // Payload bits per second that arrived, in arriving_seconds: what waits in long queues when the sender ends was not
  // carried in the sender's time.
  double goodput = 0;
  [[nodiscard]] double loss() const noexcept {
    return sent == 0 ? 0 : 1 - static_cast<double>(received) / static_cast<double>(sent);
  }
  // The share of what was sent that came too late to call its rate carried: behind more than kQueueSeconds of queue.
  [[nodiscard]] double late() const noexcept {
    const double behind = arriving_seconds - seconds - kQueueSeconds;
    return behind <= 0 ? 0 : behind / arriving_seconds;
  }
  static constexpr double kQueueSeconds = 0.01;  // ten times what a packet takes under load

  // Makes rates of the counts. `arriving` counts from the first send; less than the sender's time when nothing came.
  void set_times(std::size_t payload_bytes, double sending, double arriving) noexcept {
    seconds = std::max(sending, 1e-9);
    arriving_seconds = std::max(seconds, arriving);
    offered = 8 * static_cast<double>(payload_bytes * sent) / seconds;
    goodput = 8 * static_cast<double>(payload_bytes * received) / arriving_seconds;
  }
};

struct UdpPath {
  std::string sender_namespace;
  std::string receiver_namespace;  // empty: nobody receives, which measures the sender alone
  std::string receiver_address;    // IPv4
};

// Throws BenchError.
[[nodiscard]] UdpResult run_udp(const UdpPath& path, const UdpLoad& load);

// Datagrams of one unpaced GSO call, and of one paced call. 44 datagrams of MTU 1420 fill a send; 16 keep the pace fine
// while the sender stays far above the rates that it has to offer.
inline constexpr std::size_t kFloodTrain = 44;
inline constexpr std::size_t kPacedTrain = 16;
// What QUIC's senders give to one call, and their datagrams' payload where the path takes as much.
inline constexpr std::size_t kQuicTrain = 16;
inline constexpr std::size_t kQuicPayloadMax = 1350;

}  // namespace fireline::bench
