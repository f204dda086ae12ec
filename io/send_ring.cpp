#include "io/send_ring.h"

#include <liburing.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace fireline::io {

Result<std::unique_ptr<SendRing>, IoError> SendRing::open() {
  auto ring = Uring::open(kChainMessages, 2 * kChainMessages);
  if (!ring.has_value()) return err(std::move(ring.error()));
  return std::unique_ptr<SendRing>(new SendRing(std::move(*ring)));
}

SendRing::SendRing(Uring ring) noexcept : ring_(std::move(ring)) {}

UdpSyscalls::ChainResult SendRing::send_chain(int fd, std::span<const msghdr> messages, int flags) noexcept {
  // A single message has nothing to be linked to: the plain call is the shorter way.
  if (!in_order_ || messages.size() == 1) return UdpSyscalls::send_chain(fd, messages, flags);
  const std::size_t count = std::min(messages.size(), kChainMessages);
  for (std::size_t i = 0; i < count; ++i) {
    io_uring_sqe* const request = ::io_uring_get_sqe(ring_.get());
    ::io_uring_prep_sendmsg(request, fd, &messages[i], static_cast<unsigned>(flags));
    if (i + 1 < count) request->flags |= IOSQE_IO_LINK;
    request->user_data = i;
  }
  const std::size_t submitted = submit(count);
  wait_for(submitted);

  ChainResult result = result_of(std::span(results_).first(submitted));
  if (result.code == 0 && submitted != messages.size()) result.code = ENOBUFS;
  return result;
}

UdpSyscalls::ChainResult SendRing::result_of(std::span<const int> results) noexcept {
  auto failed = std::ranges::find_if(results, [](int result) { return result < 0; });
  const auto sent = static_cast<std::size_t>(failed - results.begin());
  if (failed == results.end()) return {.sent = sent, .code = 0};
  // A request that the kernel cannot prepare (no memory) cancels those before it too, and alone says why.
  if (*failed == -ECANCELED) {
    failed = std::find_if(failed, results.end(), [](int result) { return result < 0 && result != -ECANCELED; });
  }
  return {.sent = sent, .code = failed == results.end() ? ENOBUFS : -*failed};
}

// How many of the chain the kernel took; its requests are under way then, or at their end.
std::size_t SendRing::submit(std::size_t count) noexcept {
  const int result = ::io_uring_submit_and_wait(ring_.get(), static_cast<unsigned>(count));
  const std::size_t left = ::io_uring_sq_ready(ring_.get());
  if (left != 0) {
    in_order_ = false;
    spdlog::warn("io_uring refused a submission ({}): datagrams are sent by plain system calls",
                 errno_name(result < 0 ? -result : ENOMEM));
  }
  return count - left;
}

void SendRing::wait_for(std::size_t count) noexcept {
  while (count != 0) {
    io_uring_cqe* entry = nullptr;
    // Only a signal ends a wait early: every request comes to its end by itself.
    if (::io_uring_wait_cqe(ring_.get(), &entry) != 0) continue;
    results_[entry->user_data] = entry->res;
    ::io_uring_cqe_seen(ring_.get(), entry);
    --count;
  }
}

ssize_t SendRing::sendmsg(int fd, const msghdr& message, int flags) noexcept {
  return kernel_udp_syscalls().sendmsg(fd, message, flags);
}

ssize_t SendRing::recvmsg(int fd, msghdr& message, int flags) noexcept {
  return kernel_udp_syscalls().recvmsg(fd, message, flags);
}

}  // namespace fireline::io
