// Receives with plain recvmsg, one GRO datagram per call into a large buffer. What is no longer than kCopyBreakBytes is
// copied behind the small ones before it, so that a small datagram does not pin 64 KiB; order is kept. Each datagram
// has at least 16 writable bytes before and behind it (a datagram cut out of a GRO train has its neighbours there).
//
// Lifetime: borrows descriptor, system calls and intake. Threads: the receiving thread's.
#pragma once
#include "core/packet/batch.h"
#include "core/packet/buffer.h"
#include "io/datagram_intake.h"
#include "io/io_status.h"
#include "io/syscalls.h"

namespace fireline::io {

class ReceiveArena;
enum class ReadCall : std::uint8_t;

class DatagramReceiver {
 public:
  DatagramReceiver(int fd, UdpSyscalls& syscalls, DatagramIntake& intake) noexcept
      : fd_(fd), syscalls_(syscalls), intake_(intake) {}

  // As UdpPort::receive; done also when the batch has `buffers_max` buffers.
  [[nodiscard]] IoStatus receive(packet::UdpBatch& batch, packet::BufferSource& large,
                                 std::size_t buffers_max = packet::kUdpBatchBuffers);

 private:
  [[nodiscard]] ReadCall receive_datagram(ReceiveArena& arena, packet::UdpBatch& batch);

  int fd_;
  UdpSyscalls& syscalls_;
  DatagramIntake& intake_;
};

}  // namespace fireline::io
