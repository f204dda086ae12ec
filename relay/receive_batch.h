// One batch of datagrams from one socket, read with one system call into memory that all sockets share: what was read
// is sent on before the next read. Each message is a single datagram or a GRO train.
//
// How many messages one read may take follows from how long the socket's recent trains were, so that a batch holds
// about kBatchPackets packets however they come. A flow whose first trains follow a time of singles may exceed that
// once; the ready set makes its socket wait for it afterwards.
//
// Lifetime: 2 MiB of address space, of which only what datagrams touched is ever backed. Threads: one.
#pragma once
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/base/counters.h"
#include "core/base/endpoint.h"
#include "core/packet/batch.h"
#include "io/control_message.h"
#include "io/syscalls.h"
#include "relay/ready_set.h"
#include "relay/relay_counters.h"

namespace fireline::relay {

inline constexpr std::size_t kBatchMessagesMax = 32;

struct ReceivedMessage {
  Bytes bytes;
  std::size_t segment_bytes = 0;  // equal to bytes.size() for a single datagram, which may be empty
  packet::Ecn ecn = packet::Ecn::not_ect;
  Endpoint source;

  [[nodiscard]] std::size_t segments() const noexcept {
    return segment_bytes == 0 ? 1 : (bytes.size() + segment_bytes - 1) / segment_bytes;
  }
};

// What a socket remembers between its batches.
struct ReceiveMemory {
  // `cumulative` as the kernel says, 32 bits that wrap. A datagram tells what it was when it was queued, which may be
  // less than what is known by now: that counts nothing.
  void note_drops(std::uint32_t cumulative, Counters<RelayCounter>& counters) noexcept;

  std::uint32_t kernel_drops = 0;    // cumulative, the latest known
  std::uint8_t recent_segments = 1;  // of its longest recent message; falls slowly
};

class ReceiveBatch {
 public:
  ReceiveBatch();

  struct Outcome {
    std::size_t packets = 0;  // read, dropped ones included: what counts for fairness
    bool drained = false;     // nothing more waits; the kernel reports when there is
    bool closed = false;      // the descriptor is none any more
  };
  // Replaces messages(). Interrupted calls are repeated; other errors count, and the socket may have more.
  [[nodiscard]] Outcome read(int fd, Family family, ReceiveMemory& memory, io::UdpSyscalls& syscalls,
                             Counters<RelayCounter>& counters);

  [[nodiscard]] std::span<const ReceivedMessage> messages() const noexcept {
    return std::span(messages_).first(message_count_);
  }

 private:
  static constexpr std::size_t kSlotBytes = 65536;

  void prepare(std::size_t messages) noexcept;
  // Packets in the message; appends it to messages_ unless it must be dropped.
  std::size_t take(std::size_t slot, Family family, ReceiveMemory& memory, Counters<RelayCounter>& counters);

  std::unique_ptr<std::byte[]> memory_;
  std::array<mmsghdr, kBatchMessagesMax> headers_{};
  std::array<iovec, kBatchMessagesMax> vectors_{};
  std::array<sockaddr_storage, kBatchMessagesMax> sources_;
  std::array<io::ControlBuffer, kBatchMessagesMax> controls_;
  std::array<ReceivedMessage, kBatchMessagesMax> messages_{};
  std::size_t message_count_ = 0;
};

}  // namespace fireline::relay
