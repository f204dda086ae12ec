// Sends trains: one sendmsg per train where the kernel takes it, gathered from its pieces. Every errno has its reaction
// here; none ends sending, and the order of what leaves one socket is kept.
//
//   EINTR                  the same again, a bounded number of times
//   EAGAIN                 the rest waits in the socket's queue, in owned copies; flush() when it is writable
//   ENOBUFS, ENOMEM        once more at once, then it waits as well; no event tells, so flush() a little later
//   EIO, EINVAL with GSO   the rest of the train singly, at once; the path is remembered (io/gso_policy.h)
//   EMSGSIZE               with GSO: the rest singly; a single one in fragments where the socket may (io/udp_bind.h)
//   others                 the rest of the train is dropped and counted
//
// What may wait is bounded per socket and in all; beyond that the newest is dropped (drop_queue_full).
// Lifetime: counters and syscalls outlive it. Threads: the loop's.
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/base/counters.h"
#include "core/base/time.h"
#include "io/gso_policy.h"
#include "io/syscalls.h"
#include "relay/relay_counters.h"
#include "relay/relay_socket.h"

namespace fireline::relay {

// A socket's own buffer took 2 MiB before anything waits: four more trains bridge the wake-up, and a stalled receiver
// does not grow a queue of old datagrams.
inline constexpr std::size_t kWaitingBytesPerSocket = std::size_t{256} << 10;
// Counted for each train besides its bytes: the queue's own memory, so that empty datagrams are bounded as well.
inline constexpr std::size_t kWaitingTrainBytes = 128;
// All sockets together; reached when 128 of them stand still, which is the wire's limit and not a burst.
inline constexpr std::size_t kWaitingBytesTotal = std::size_t{32} << 20;
// A millisecond each: a device queue that stays full for longer drops anyway.
inline constexpr unsigned kBusyAttemptsMax = 50;

class TrainSender {
 public:
  TrainSender(Counters<RelayCounter>& counters, io::UdpSyscalls& syscalls, bool gso) noexcept
      : counters_(counters),
        syscalls_(syscalls),
        gso_v4_(gso ? packet::kTrainSegments : 1),
        gso_v6_(gso ? packet::kTrainSegments : 1) {}

  enum class State : std::uint8_t {
    idle,     // nothing waits
    blocked,  // flush() when the socket is writable
    busy,     // flush() in a millisecond
  };

  State send(RelaySocket& socket, const TrainView& train, Instant now);
  State flush(RelaySocket& socket, Instant now);
  // Drops and counts what waits: the socket is about to be closed.
  void discard(RelaySocket& socket) noexcept;

  [[nodiscard]] std::size_t waiting_bytes() const noexcept { return waiting_bytes_; }
  [[nodiscard]] const io::GsoPolicy& gso(Family family) const noexcept {
    return family == Family::v4 ? gso_v4_ : gso_v6_;
  }

 private:
  struct Attempt;
  enum class Reaction : std::uint8_t { again, drop_one, drop_rest, wait_writable, wait_busy };

  // How many of the train's datagrams are done with, and what the others wait for.
  struct Progress {
    std::size_t done = 0;
    State state = State::idle;
  };
  [[nodiscard]] Progress transmit(const RelaySocket& socket, const TrainView& train, Instant now);
  [[nodiscard]] ssize_t send_segments(const Attempt& attempt, std::size_t first, std::size_t segments) noexcept;
  [[nodiscard]] Reaction react(int code, Attempt& attempt, std::size_t segments, RelayCounter& why) noexcept;
  void note_sent(Attempt& attempt, std::size_t first, std::size_t segments, Instant now);
  void queue(RelaySocket& socket, const TrainView& train, std::size_t first);
  void remove_first(RelaySocket& socket) noexcept;

  Counters<RelayCounter>& counters_;
  io::UdpSyscalls& syscalls_;
  io::GsoPolicy gso_v4_;
  io::GsoPolicy gso_v6_;
  std::size_t waiting_bytes_ = 0;
};

}  // namespace fireline::relay
