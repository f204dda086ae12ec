// One UDP socket of the relay, of one address family: a control socket or one of an allocation. It holds what belongs
// to the socket alone; reading is relay/receive_batch.h, sending relay/train_sender.h.
// Lifetime: closed when dropped; what still waits for sending is then gone. Threads: the loop's.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/result.h"
#include "io/file_descriptor.h"
#include "io/io_error.h"
#include "io/udp_bind.h"
#include "relay/gather_train.h"
#include "relay/receive_batch.h"

namespace fireline::relay {

// All clients send to the control port: 10 Gbit/s for some milliseconds of a busy loop.
inline constexpr std::size_t kControlReceiveBytes = std::size_t{8} << 20;
// One client's peers. There may be 32,768 such sockets; the kernel's limit for all UDP sockets together
// (net.ipv4.udp_mem) bounds what floods can hold.
inline constexpr std::size_t kAllocationReceiveBytes = std::size_t{2} << 20;
inline constexpr std::size_t kSendBytes = std::size_t{2} << 20;

// Datagrams that wait for a full socket buffer, as one train: an owned copy, channel headers included.
struct WaitingTrain {
  Endpoint to;
  packet::Ecn ecn = packet::Ecn::not_ect;
  std::size_t segment_bytes = 0;
  std::size_t count = 0;
  std::vector<std::byte> bytes;
};

struct WaitingQueue {
  std::deque<WaitingTrain> trains;
  std::size_t bytes = 0;
  unsigned busy_attempts = 0;  // of the first one, when the kernel said ENOBUFS
};

class RelaySocket {
 public:
  using Slot = ReadySet::Slot;

  RelaySocket(io::FileDescriptor fd, Family family, std::uint16_t port, bool is_control) noexcept
      : fd_(std::move(fd)), family_(family), port_(port), is_control_(is_control) {}

  struct Options {
    Family family = Family::v4;
    std::uint16_t port = 0;
    std::optional<IpAddress> address{};  // empty: every local address
    bool is_control = false;
    bool gro = true;
  };
  // Errors name port and family.
  [[nodiscard]] static Result<std::unique_ptr<RelaySocket>, io::IoError> open(const Options& options);

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] Family family() const noexcept { return family_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  // The allocation's port; empty for a control socket.
  [[nodiscard]] std::optional<std::uint16_t> allocation() const noexcept {
    return is_control_ ? std::nullopt : std::optional(port_);
  }

  // The loop's and the sender's own.
  Slot slot = 0;
  ReceiveMemory receive;
  std::unique_ptr<WaitingQueue> waiting;  // null while nothing waits
  bool watches_writable = false;

 private:
  io::FileDescriptor fd_;
  Family family_;
  std::uint16_t port_;
  bool is_control_;
};

}  // namespace fireline::relay
