#include "io/receive_ring.h"

#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "io/receive_arena.h"

namespace fireline::io {
namespace {

constexpr std::uint64_t kReceiveId = 1;
constexpr std::uint64_t kCancelId = 2;
constexpr std::uint16_t kBufferGroup = 0;  // the ring's only one
constexpr unsigned kSubmissions = 8;       // a request and a few cancellations

// Room for sockaddr_in6, and for the control messages that udp_bind.cpp asks for (112 bytes with IPv6) with a reserve;
// both chosen so that the payload is aligned to 16 bytes.
constexpr std::size_t kNameBytes = 32;
constexpr std::size_t kReceiveControlBytes = 160;
constexpr std::size_t kPayloadOffset = sizeof(io_uring_recvmsg_out) + kNameBytes + kReceiveControlBytes;
// The longest payload there is: IPv6 without its header counted in.
static_assert(packet::kLargeBufferBytes >= kPayloadOffset + 65535 - 8 + kArenaSlackBytes);
static_assert(kPayloadOffset % 16 == 0 && kPayloadOffset >= kArenaSlackBytes);

constexpr unsigned kCancelAttempts = 40;
constexpr __kernel_timespec kCancelWait{.tv_sec = 0, .tv_nsec = 50'000'000};  // two seconds in all

constexpr std::align_val_t kPageAlignment{4096};
constexpr int kRingMask = kReceiveSlots - 1;
static_assert((kReceiveSlots & (kReceiveSlots - 1)) == 0, "the kernel's rule for buffer rings");

IoError setup_error(int code) {
  return {.code = code,
          .operation = "receive through io_uring for",
          .context = "UDP",
          .fix = code == EINVAL ? "this kernel is too old for it: Linux 6.0 or newer is needed" : ""};
}

}  // namespace

void ReceiveRing::BufferRing::operator()(io_uring_buf_ring* memory) const noexcept {
  ::operator delete(memory, kPageAlignment);
}

Result<std::unique_ptr<ReceiveRing>, IoError> ReceiveRing::open(int socket) {
  auto ring = Uring::open(kSubmissions, kCompletionsMax);
  if (!ring.has_value()) return err(std::move(ring.error()));
  std::unique_ptr<ReceiveRing> receiver(new ReceiveRing(socket, std::move(*ring)));
  if (auto error = receiver->register_buffers()) return err(*std::move(error));
  if (auto error = receiver->probe()) return err(*std::move(error));
  return receiver;
}

ReceiveRing::ReceiveRing(int socket, Uring ring) : socket_(socket), ring_(std::move(ring)) {
  layout_.msg_namelen = kNameBytes;
  layout_.msg_controllen = kReceiveControlBytes;
  for (std::size_t i = 0; i < kReceiveSlots; ++i) {
    vacant_[vacant_count_++] = static_cast<std::uint16_t>(kReceiveSlots - 1 - i);
  }
}

ReceiveRing::~ReceiveRing() {
  stop();
  if (buffer_ring_) ::io_uring_unregister_buf_ring(ring_.get(), kBufferGroup);
}

std::optional<IoError> ReceiveRing::register_buffers() {
  const std::size_t bytes = kReceiveSlots * sizeof(io_uring_buf);
  std::unique_ptr<io_uring_buf_ring, BufferRing> memory(
      static_cast<io_uring_buf_ring*>(::operator new(bytes, kPageAlignment)));
  std::memset(static_cast<void*>(memory.get()), 0, bytes);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory.get());
  registration.ring_entries = kReceiveSlots;
  registration.bgid = kBufferGroup;
  const int result = ::io_uring_register_buf_ring(ring_.get(), &registration, 0);
  if (result < 0) return setup_error(-result);
  ::io_uring_buf_ring_init(memory.get());
  buffer_ring_ = std::move(memory);
  return std::nullopt;
}

// Without a buffer a kernel that knows the request ends it with ENOBUFS before it looks at the socket.
std::optional<IoError> ReceiveRing::probe() {
  arm();
  for (unsigned attempt = 0; armed_ && attempt < kCancelAttempts; ++attempt) {
    if (!wait_for_completion()) break;
    collect();
  }
  const auto answer = next();
  if (!answer.has_value()) return setup_error(ETIMEDOUT);
  if (answer->result != -ENOBUFS) return setup_error(answer->result < 0 ? -answer->result : EINVAL);
  return std::nullopt;
}

IoStatus ReceiveRing::receive(packet::UdpBatch& batch, packet::BufferSource& large, DatagramIntake& intake) {
  ReceiveArena arena(batch.buffers, packet::kUdpBatchBuffers, large);
  unsigned errors = 0;
  // Completions are bounded too: what is not kept (empty, malformed) fills no batch.
  for (std::size_t turn = 0; turn < packet::kUdpBatchDatagrams; ++turn) {
    if (batch.datagrams.size() >= packet::kUdpBatchDatagrams || !arena.has_room()) return IoStatus::done;
    auto completion = next();
    if (!completion.has_value()) {
      fill_vacant(large);
      if (!armed_) {
        if (provided() == 0) {
          intake.counters().add(UdpReceiveCounter::no_buffer);
          return IoStatus::done;
        }
        arm();
      }
      if (::io_uring_sq_ready(ring_.get()) != 0) submit();
      completion = next();
      // A submission that the kernel did not take (no memory) is tried again soon: no event will tell.
      if (!completion.has_value()) {
        return ::io_uring_sq_ready(ring_.get()) == 0 ? IoStatus::would_block : IoStatus::done;
      }
    }
    if (completion->result >= 0) {
      take(*completion, arena, batch, large, intake);
      continue;
    }
    switch (-completion->result) {
      case ENOBUFS:    // all buffers are filled
      case ECANCELED:  // the thread for which the request ran has ended
      case EINTR:
      case EAGAIN:
        break;
      case EBADF:
      case ENOTSOCK:
        return IoStatus::closed;
      default:
        intake.counters().add(UdpReceiveCounter::errors);
        if (++errors >= kReadErrorsMax) return end_turn();
        break;
    }
  }
  return end_turn();
}

// More may wait though nothing was kept: without a request no event would tell of it.
IoStatus ReceiveRing::end_turn() noexcept {
  if (!armed_ && backlog_count_ == 0 && provided() != 0) arm();
  return IoStatus::done;
}

void ReceiveRing::take(const Completion& completion, ReceiveArena& arena, packet::UdpBatch& batch,
                       packet::BufferSource& large, DatagramIntake& intake) {
  const std::size_t slot = completion.flags >> IORING_CQE_BUFFER_SHIFT;
  const auto filled = static_cast<std::size_t>(completion.result);
  if ((completion.flags & IORING_CQE_F_BUFFER) == 0 || slot >= kReceiveSlots || !slots_[slot] ||
      filled < kPayloadOffset || filled > slots_[slot].capacity()) {
    std::fprintf(stderr, "io_uring completed a receive of %d bytes in no buffer of ours\n", completion.result);
    std::abort();
  }
  packet::Buffer& buffer = slots_[slot];
  const Bytes bytes = buffer.bytes().first(filled);
  io_uring_recvmsg_out header;
  std::memcpy(&header, bytes.data(), sizeof header);
  msghdr message{};
  message.msg_name = bytes.data() + sizeof header;
  message.msg_namelen = std::min(header.namelen, static_cast<std::uint32_t>(kNameBytes));
  message.msg_control = bytes.data() + sizeof header + kNameBytes;
  message.msg_controllen = std::min<std::size_t>(header.controllen, kReceiveControlBytes);
  message.msg_flags = static_cast<int>(header.flags);

  const Bytes payload = bytes.subspan(kPayloadOffset);
  if (auto* const datagrams = intake.take(message, payload.size(), batch)) {
    datagrams->bytes = arena.keep(buffer, payload);
  }
  if (!buffer) buffer = large.acquire();
  if (buffer) return provide(static_cast<std::uint16_t>(slot));
  vacant_[vacant_count_++] = static_cast<std::uint16_t>(slot);
}

void ReceiveRing::fill_vacant(packet::BufferSource& large) noexcept {
  while (vacant_count_ != 0) {
    packet::Buffer buffer = large.acquire();
    if (!buffer) return;
    const std::uint16_t slot = vacant_[--vacant_count_];
    slots_[slot] = std::move(buffer);
    provide(slot);
  }
}

void ReceiveRing::provide(std::uint16_t slot) noexcept {
  const packet::Buffer& buffer = slots_[slot];
  ::io_uring_buf_ring_add(buffer_ring_.get(), buffer.data(), static_cast<unsigned>(buffer.capacity()), slot, kRingMask,
                          0);
  ::io_uring_buf_ring_advance(buffer_ring_.get(), 1);
}

void ReceiveRing::arm() noexcept {
  io_uring_sqe* const request = ::io_uring_get_sqe(ring_.get());
  if (request == nullptr) return;  // the queue is full of what the kernel did not take yet
  ::io_uring_prep_recvmsg_multishot(request, socket_, &layout_, 0);
  request->flags |= IOSQE_BUFFER_SELECT;
  request->buf_group = kBufferGroup;
  request->user_data = kReceiveId;
  armed_ = true;
  submit();
}

// What the kernel does not take stays in the queue.
void ReceiveRing::submit() noexcept {
  static_cast<void>(::io_uring_submit(ring_.get()));
}

std::optional<ReceiveRing::Completion> ReceiveRing::next() noexcept {
  if (backlog_count_ == 0) collect();
  if (backlog_count_ == 0) return std::nullopt;
  const Completion completion = backlog_[backlog_first_];
  backlog_first_ = (backlog_first_ + 1) % kCompletionsMax;
  --backlog_count_;
  return completion;
}

// Moves completions out of the shared queue, so that the end of the request is seen before those are taken.
void ReceiveRing::collect() noexcept {
  io_uring_cqe* entry = nullptr;
  while (backlog_count_ < kCompletionsMax && ::io_uring_peek_cqe(ring_.get(), &entry) == 0) {
    if (entry->user_data == kReceiveId) {
      backlog_[(backlog_first_ + backlog_count_) % kCompletionsMax] = {entry->res, entry->flags};
      ++backlog_count_;
      if ((entry->flags & IORING_CQE_F_MORE) == 0) armed_ = false;
    }
    ::io_uring_cqe_seen(ring_.get(), entry);
  }
}

bool ReceiveRing::wait_for_completion() noexcept {
  io_uring_cqe* entry = nullptr;
  __kernel_timespec limit = kCancelWait;
  return ::io_uring_submit_and_wait_timeout(ring_.get(), &entry, 1, &limit, nullptr) >= 0;
}

void ReceiveRing::stop() noexcept {
  collect();
  for (unsigned attempt = 0; armed_; ++attempt) {
    if (attempt == kCancelAttempts) {
      std::fputs("io_uring does not end a receive: its buffers cannot be given back\n", stderr);
      std::abort();
    }
    if (io_uring_sqe* const request = ::io_uring_get_sqe(ring_.get())) {
      ::io_uring_prep_cancel64(request, kReceiveId, 0);
      request->user_data = kCancelId;
    }
    // The answer to the cancellation, and the request's last completion.
    while (armed_ && wait_for_completion()) collect();
  }
}

}  // namespace fireline::io
