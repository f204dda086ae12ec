// The sending half of the io_uring backend, behind the interface of plain calls: a chain is one submission of linked
// requests. The kernel starts a request when the one before has succeeded, and cancels what is behind a failed one: the
// cancelled tail is the unsent rest. Every request is non-blocking (MSG_DONTWAIT), so that a chain ends within the call
// that submits it; none is under way between calls, and the caller's memory is its own again.
//
// When the kernel does not take a whole submission (no memory), the rest of it counts as not tried, and the ring is not
// used again: from there on messages go by plain calls.
//
// Threads: one at a time; which one may change where something orders the two (an outbox' channel does).
#pragma once
#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "core/base/result.h"
#include "io/io_error.h"
#include "io/syscalls.h"
#include "io/uring.h"

namespace fireline::io {

class SendRing final : public UdpSyscalls {
 public:
  // Messages in one submission: a call's cost is spread, and what was planned in vain behind a failure is little.
  static constexpr std::size_t kChainMessages = 16;

  // Errors as Uring::open.
  [[nodiscard]] static Result<std::unique_ptr<SendRing>, IoError> open();

  // At most kChainMessages.
  [[nodiscard]] ChainResult send_chain(int fd, std::span<const msghdr> messages, int flags) noexcept override;

  // The kernel's plain calls.
  [[nodiscard]] ssize_t sendmsg(int fd, const msghdr& message, int flags) noexcept override;
  [[nodiscard]] ssize_t recvmsg(int fd, msghdr& message, int flags) noexcept override;

  // What the results of a chain's requests say of it.
  [[nodiscard]] static ChainResult result_of(std::span<const int> results) noexcept;

 private:
  explicit SendRing(Uring ring) noexcept;
  [[nodiscard]] std::size_t submit(std::size_t count) noexcept;
  void wait_for(std::size_t count) noexcept;

  Uring ring_;
  bool in_order_ = true;  // false: the kernel refused a submission
  std::array<int, kChainMessages> results_{};
};

}  // namespace fireline::io
