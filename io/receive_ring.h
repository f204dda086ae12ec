// The receiving half of the io_uring backend: one multishot recvmsg for the socket's life, and a ring of provided
// buffers out of the pool into which the kernel writes one datagram, or one GRO train, each. A filled buffer is
// replaced from the pool in the same turn; a small datagram is copied out, and its buffer goes back at once
// (io/receive_arena.h).
//
//   slot: struct io_uring_recvmsg_out | source address, 32 | control messages, 160 | payload
//
// The request ends when no buffer is left (ENOBUFS), at an empty datagram and at a socket error; receive() then starts
// it anew. What has not been read stays in the socket, so that nothing is lost meanwhile. With the pool empty it is
// started when buffers have come back.
//
// Lifetime: `socket` and the buffers' sources must outlive it; the destructor calls the request off and gives the
// buffers back. Threads: receive() and stop() belong to the receiving thread, which may change between them.
#pragma once
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "core/base/result.h"
#include "core/packet/batch.h"
#include "io/datagram_intake.h"
#include "io/io_status.h"
#include "io/udp_port.h"
#include "io/uring.h"

struct io_uring_buf_ring;

namespace fireline::io {

class ReceiveArena;

class ReceiveRing {
 public:
  // Errors as Uring::open, and EINVAL where the kernel has no multishot recvmsg (before 6.0).
  [[nodiscard]] static Result<std::unique_ptr<ReceiveRing>, IoError> open(int socket);
  ~ReceiveRing();
  ReceiveRing(const ReceiveRing&) = delete;
  ReceiveRing& operator=(const ReceiveRing&) = delete;

  // As UdpPort::receive.
  [[nodiscard]] IoStatus receive(packet::UdpBatch& batch, packet::BufferSource& large, DatagramIntake& intake);
  // Calls the request off and waits for its end; what it had received is kept for the next receive(). The process ends
  // when the kernel does not answer for two seconds: memory into which it may write cannot be given back.
  void stop() noexcept;

  // Readable when receive() has something.
  [[nodiscard]] int poll_fd() const noexcept { return ring_.poll_fd(); }
  // Buffers that the kernel may fill.
  [[nodiscard]] std::size_t provided() const noexcept { return kReceiveSlots - vacant_count_; }

 private:
  struct Completion {
    int result = 0;
    std::uint32_t flags = 0;
  };
  struct BufferRing {
    void operator()(io_uring_buf_ring* memory) const noexcept;
  };
  // Of one request: its buffers' and its last one. A request starts only when those of the one before were taken.
  static constexpr std::size_t kCompletionsMax = 2 * kReceiveSlots;

  ReceiveRing(int socket, Uring ring);
  [[nodiscard]] std::optional<IoError> register_buffers();
  [[nodiscard]] std::optional<IoError> probe();

  [[nodiscard]] IoStatus end_turn() noexcept;
  void arm() noexcept;
  void submit() noexcept;
  void collect() noexcept;
  [[nodiscard]] bool wait_for_completion() noexcept;
  [[nodiscard]] std::optional<Completion> next() noexcept;
  void take(const Completion& completion, ReceiveArena& arena, packet::UdpBatch& batch, packet::BufferSource& large,
            DatagramIntake& intake);
  void provide(std::uint16_t slot) noexcept;
  void fill_vacant(packet::BufferSource& large) noexcept;

  int socket_;
  Uring ring_;
  std::unique_ptr<io_uring_buf_ring, BufferRing> buffer_ring_;
  msghdr layout_{};  // of a slot: only its lengths count
  std::array<packet::Buffer, kReceiveSlots> slots_;
  std::array<std::uint16_t, kReceiveSlots> vacant_{};
  std::size_t vacant_count_ = 0;
  bool armed_ = false;  // the kernel has the request, or will with the next submission
  std::array<Completion, kCompletionsMax> backlog_{};
  std::size_t backlog_first_ = 0;
  std::size_t backlog_count_ = 0;
};

}  // namespace fireline::io
