// The queues of a TUN device, read so that a flow of few packets does not wait behind one of many. The kernel puts a
// flow's packets into the queue that its hash names; a turn takes from the queues in rounds, beginning with those that
// the last turn left empty (deficit round robin with sparse flows first, RFC 8290 section 4.1, over few hashed queues).
//
// When a turn ends before each queue had its round, the next one goes on where it stopped, without that preference, so
// that no queue starves. A device with one queue is read without any of this.
//
// Lifetime: owns the descriptors. Threads: the reading thread's; poll_fd() any.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "io/file_descriptor.h"
#include "io/io_error.h"

namespace fireline::io {

inline constexpr std::size_t kTunQueuesMax = 32;
// What ends a queue's round: one super-packet, or as many small ones.
inline constexpr std::size_t kTunRoundBytes = 32768;

class TunQueues {
 public:
  // One queue.
  explicit TunQueues(FileDescriptor queue) { queues_.push_back(std::move(queue)); }
  // One more, up to kTunQueuesMax. On an error the queues are as before.
  [[nodiscard]] std::optional<IoError> add(FileDescriptor queue);

  // Readable when one of them is; so it is when the interface is gone.
  [[nodiscard]] int poll_fd() const noexcept { return epoll_ ? epoll_.get() : queues_.front().get(); }
  [[nodiscard]] int first() const noexcept { return queues_.front().get(); }
  [[nodiscard]] std::size_t size() const noexcept { return queues_.size(); }

  // Begins a turn: asks which queues have something.
  void begin() noexcept;
  // The queue to read next, -1 when none is left in this turn.
  [[nodiscard]] int current() const noexcept { return count_ == 0 ? -1 : queues_[ready_[at_]].get(); }
  // What reading it gave: a packet, or nothing more.
  void took(std::size_t bytes) noexcept;
  void drained() noexcept;

 private:
  void next() noexcept;

  std::vector<FileDescriptor> queues_;
  FileDescriptor epoll_;                             // of all queues, where there are several
  std::array<std::uint8_t, kTunQueuesMax> ready_{};  // places in queues_, in the order of the rounds
  std::size_t count_ = 0;
  std::size_t at_ = 0;
  std::size_t round_bytes_ = 0;   // of the queue at `at_`
  bool round_complete_ = true;    // each queue of ready_ had its round
  std::uint32_t backlogged_ = 0;  // places of the queues that the last turn left with something
};

}  // namespace fireline::io
