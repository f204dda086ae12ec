// The sending half of a UDP socket: one message per train, with UDP_SEGMENT when it has more than one datagram, in
// chunks of what the kernel takes at once. Several messages go as one chain where the backend takes chains: planned as
// if all went well, and planned anew behind the one that failed. Every errno has its reaction here; none ends sending.
//
//   EINTR                       the same again, a bounded number of times
//   EAGAIN                      would_block; POLLOUT tells when to go on
//   ENOBUFS, ENOMEM             once more at once, then would_block with SendCursor::kernel_busy: no event tells
//   EINVAL, EADDRNOTAVAIL,      with a sticky source: again without it, which may have vanished (the interface is
//   ENODEV, E*UNREACH           down, the address removed)
//   EIO, EINVAL on a GSO send   the rest of the train singly, at once; the path is remembered when a datagram of the
//                               same train then passes, so that an impossible destination blames no path; not when
//                               one is answered with EMSGSIZE
//   EMSGSIZE                    path MTU, never GSO: the rest of the train singly; those too large in fragments where
//                               the socket may (io/udp_bind.h), dropped otherwise
//   unreachable, denied, …      the rest of the train is dropped and counted
//   EBADF, ENOTSOCK, EPIPE      closed
//
// Threads: the sending thread owns it; counters() and gso()'s gauges may be read by any thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/counters.h"
#include "core/base/time.h"
#include "core/packet/batch.h"
#include "io/gso_policy.h"
#include "io/io_status.h"
#include "io/syscalls.h"
#include "io/udp_port.h"

namespace fireline::io {

class DatagramSender {
 public:
  // Borrows `fd` and `syscalls`. `segments_max` 1 switches GSO off; `chain_messages` 1: each message is a chain.
  DatagramSender(int fd, Family family, std::size_t segments_max, UdpSyscalls& syscalls,
                 std::size_t chain_messages = 1);
  ~DatagramSender();

  // As UdpPort::send.
  [[nodiscard]] IoStatus send(const packet::UdpSendBatch& batch, SendCursor& cursor, Instant now);

  [[nodiscard]] const Counters<UdpSendCounter>& counters() const noexcept { return counters_; }
  [[nodiscard]] const GsoPolicy& gso() const noexcept { return gso_; }

 private:
  struct TrainState;
  struct Message;
  enum class Reaction : std::uint8_t { again, drop_rest, would_block, closed };

  [[nodiscard]] TrainState start(const packet::UdpTrain& train, Instant now) noexcept;
  void plan_chain(const packet::UdpSendBatch& batch, const SendCursor& cursor, TrainState state, Instant now) noexcept;
  void plan_message(std::size_t train, const TrainState& state, std::size_t offset, std::size_t length) noexcept;
  [[nodiscard]] Reaction send_chain(const packet::UdpSendBatch& batch, SendCursor& cursor, TrainState& state,
                                    Instant now);
  void note_sent(TrainState& state, SendCursor& cursor, std::size_t length, Instant now);
  [[nodiscard]] Reaction react(int code, TrainState& state, SendCursor& cursor, std::size_t length);
  [[nodiscard]] Reaction react_to_busy(TrainState& state, SendCursor& cursor) noexcept;
  [[nodiscard]] Reaction drop_rest(UdpSendCounter counter, const TrainState& state, const SendCursor& cursor, int code);
  void log_refusal(GsoPolicy::Refusal news, const packet::UdpTrain& train, int code) const;
  void log_drop(const packet::UdpTrain& train, int code);

  int fd_;
  Family family_;
  UdpSyscalls& syscalls_;
  std::vector<Message> chain_;   // room for the longest; of the chain that is planned or under way
  std::vector<msghdr> headers_;  // point into chain_
  std::size_t chain_length_ = 0;
  GsoPolicy gso_;
  Counters<UdpSendCounter> counters_;
  // Of the last drop that was logged: a line per change, not per train.
  int logged_errno_ = 0;
  Endpoint logged_destination_;
};

}  // namespace fireline::io
