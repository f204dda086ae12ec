#include "io/datagram_sender.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "io/control_message.h"
#include "io/io_error.h"
#include "io/socket_address.h"

namespace fireline::io {
namespace {

// Per train; a non-blocking send is hardly ever interrupted, so that more means something is badly wrong.
constexpr unsigned kInterruptsMax = 16;

bool may_be_lost_source(int code) noexcept {
  return code == EINVAL || code == EADDRNOTAVAIL || code == ENODEV || code == ENXIO || code == ENETUNREACH ||
         code == EHOSTUNREACH;
}

bool is_unreachable(int code) noexcept {
  return code == ENETUNREACH || code == EHOSTUNREACH || code == EHOSTDOWN || code == ENETDOWN ||
         code == EADDRNOTAVAIL || code == ENODEV || code == ENXIO || code == EAFNOSUPPORT;
}

std::size_t datagrams_in(std::size_t bytes, std::size_t segment_bytes) noexcept {
  return (bytes + segment_bytes - 1) / segment_bytes;
}

// What of the rest goes in one call: whole segments, unless everything fits with its shorter last one.
std::size_t chunk_bytes(std::size_t rest, std::size_t segment_bytes, std::size_t segments_max,
                        std::size_t bytes_max) noexcept {
  const std::size_t allowed = segments_max * segment_bytes;
  if (rest <= allowed && (rest <= bytes_max || rest <= segment_bytes)) return rest;
  if (allowed <= bytes_max) return allowed;
  return std::max(std::size_t{1}, bytes_max / segment_bytes) * segment_bytes;
}

// The local firewall's refusals come in floods; one line tells it all.
std::atomic_flag denied_was_logged = ATOMIC_FLAG_INIT;

}  // namespace

struct DatagramSender::TrainState {
  const packet::UdpTrain& train;
  SocketAddress destination;
  std::size_t segment_bytes;
  std::size_t segments_max;
  bool has_local;
  bool use_local;
  int refusal = 0;  // errno of a GSO refusal that no single datagram has confirmed yet
  unsigned interrupts = 0;
  bool busy_retried = false;
  bool error_retried = false;
};

IoStatus DatagramSender::send(const packet::UdpSendBatch& batch, SendCursor& cursor, Instant now) {
  cursor.kernel_busy = false;
  while (cursor.train < batch.trains.size()) {
    const IoStatus status = send_train(batch.trains[cursor.train], cursor, now);
    if (status != IoStatus::done) return status;
    ++cursor.train;
    cursor.offset_bytes = 0;
    cursor.busy_count = 0;
  }
  return IoStatus::done;
}

IoStatus DatagramSender::send_train(const packet::UdpTrain& train, SendCursor& cursor, Instant now) {
  const bool has_local = !train.local.address.is_unspecified() || train.local.interface != 0;
  TrainState state{.train = train,
                   .destination = to_socket_address(train.destination),
                   .segment_bytes = train.segment_bytes != 0 ? train.segment_bytes : train.bytes.size(),
                   .segments_max = gso_.segments(train, now),
                   .has_local = has_local,
                   .use_local = has_local};
  if (train.destination.address.family() != family_) {
    (void)drop_rest(UdpSendCounter::drop_invalid, state, cursor, EAFNOSUPPORT);
    return IoStatus::done;
  }
  const std::size_t bytes_max = family_ == Family::v4 ? packet::kTrainBytesV4 : packet::kTrainBytesV6;

  while (cursor.offset_bytes < train.bytes.size()) {
    const std::size_t rest = train.bytes.size() - cursor.offset_bytes;
    const std::size_t length = chunk_bytes(rest, state.segment_bytes, state.segments_max, bytes_max);
    const ssize_t result = send_chunk(state, cursor.offset_bytes, length);
    if (result >= 0) {
      note_sent(state, cursor, length, now);
      continue;
    }
    switch (react(static_cast<int>(-result), state, cursor, length)) {
      case Reaction::again:
        break;
      case Reaction::drop_rest:
        return IoStatus::done;
      case Reaction::would_block:
        return IoStatus::would_block;
      case Reaction::closed:
        return IoStatus::closed;
    }
  }
  return IoStatus::done;
}

ssize_t DatagramSender::send_chunk(TrainState& state, std::size_t offset, std::size_t length) noexcept {
  const Bytes bytes = state.train.bytes.subspan(offset, length);
  iovec vector{.iov_base = bytes.data(), .iov_len = bytes.size()};
  msghdr message{};
  message.msg_name = state.destination.get();
  message.msg_namelen = state.destination.length;
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  ControlBuffer control;
  // A segment size that is not smaller than the datagram is refused with EIO by some kernels.
  const bool gso = length > state.segment_bytes;
  write_send_control(message, control, family_,
                     {.segment_bytes = gso ? state.train.segment_bytes : std::uint16_t{0},
                      .ecn = state.train.ecn,
                      .local = state.use_local ? &state.train.local : nullptr});
  return syscalls_.sendmsg(fd_, message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void DatagramSender::note_sent(TrainState& state, SendCursor& cursor, std::size_t length, Instant now) {
  cursor.offset_bytes += length;
  cursor.busy_count = 0;
  state.busy_retried = false;
  state.error_retried = false;
  const bool gso = length > state.segment_bytes;
  counters_.add(UdpSendCounter::calls);
  counters_.add(UdpSendCounter::datagrams, datagrams_in(length, state.segment_bytes));
  counters_.add(UdpSendCounter::bytes, length);
  if (gso) counters_.add(UdpSendCounter::gso_calls);
  if (state.has_local && !state.use_local) counters_.add(UdpSendCounter::without_source);
  if (state.refusal != 0 && !gso) {
    const int code = std::exchange(state.refusal, 0);
    log_refusal(gso_.refuse(state.train, code, now), state.train, code);
  }
}

DatagramSender::Reaction DatagramSender::react(int code, TrainState& state, SendCursor& cursor, std::size_t length) {
  const bool gso = length > state.segment_bytes;
  if (state.use_local && may_be_lost_source(code)) {
    state.use_local = false;
    return Reaction::again;
  }
  switch (code) {
    case EINTR:
      if (++state.interrupts <= kInterruptsMax) return Reaction::again;
      return react_to_busy(state, cursor);
    case EAGAIN:
      counters_.add(UdpSendCounter::would_block);
      return Reaction::would_block;
    case ENOBUFS:
    case ENOMEM:
      if (!std::exchange(state.busy_retried, true)) return Reaction::again;
      return react_to_busy(state, cursor);
    case EBADF:
    case ENOTSOCK:
    case EPIPE:
      return Reaction::closed;
    case EMSGSIZE:
      if (gso) {
        state.segments_max = 1;
        return Reaction::again;
      }
      counters_.add(UdpSendCounter::drop_too_big);
      log_drop(state.train, code);
      cursor.offset_bytes += length;
      return Reaction::again;
    case EIO:
    case EINVAL:
      if (!gso) {
        const bool invalid = code == EINVAL;
        return drop_rest(invalid ? UdpSendCounter::drop_invalid : UdpSendCounter::drop_other, state, cursor, code);
      }
      counters_.add(UdpSendCounter::gso_refused);
      // The source was not to blame, or not alone: the singles try it again.
      state.use_local = state.has_local;
      if (code == EINVAL && gso_.lower_limit(state.segments_max)) {
        state.segments_max = packet::kTrainSegments;
        return Reaction::again;
      }
      state.segments_max = 1;
      state.refusal = code;
      return Reaction::again;
    case EPERM:
    case EACCES:
      return drop_rest(UdpSendCounter::drop_denied, state, cursor, code);
    default:
      break;
  }
  if (is_unreachable(code)) return drop_rest(UdpSendCounter::drop_unreachable, state, cursor, code);
  // What is left may be an error of an earlier datagram that the socket had still to report (ECONNREFUSED): the kernel
  // forgot it by telling us, and this datagram was not tried.
  if (!std::exchange(state.error_retried, true)) return Reaction::again;
  return drop_rest(UdpSendCounter::drop_other, state, cursor, code);
}

DatagramSender::Reaction DatagramSender::react_to_busy(TrainState& state, SendCursor& cursor) noexcept {
  counters_.add(UdpSendCounter::kernel_busy);
  if (++cursor.busy_count >= kKernelBusyAttempts) {
    return drop_rest(UdpSendCounter::drop_busy, state, cursor, ENOBUFS);
  }
  cursor.kernel_busy = true;
  return Reaction::would_block;
}

DatagramSender::Reaction DatagramSender::drop_rest(UdpSendCounter counter, const TrainState& state,
                                                   const SendCursor& cursor, int code) {
  const std::size_t rest_bytes = state.train.bytes.size() - cursor.offset_bytes;
  if (rest_bytes != 0) counters_.add(counter, datagrams_in(rest_bytes, state.segment_bytes));
  if (counter == UdpSendCounter::drop_denied && !denied_was_logged.test_and_set()) {
    spdlog::info(
        "sending to {} was refused by this host ({}): check local firewall rules for outbound UDP (WireGuard, STUN, "
        "TURN); further refusals are only counted",
        state.train.destination.to_string(), errno_name(code));
  }
  log_drop(state.train, code);
  return Reaction::drop_rest;
}

void DatagramSender::log_refusal(GsoPolicy::Refusal news, const packet::UdpTrain& train, int code) const {
  if (news == GsoPolicy::Refusal::first) {
    spdlog::info("UDP segmentation offload refused on the path to {} ({}): datagrams of refusing paths go singly",
                 train.destination.to_string(), errno_name(code));
  } else if (news == GsoPolicy::Refusal::socket) {
    spdlog::info("UDP segmentation offload refused on {} paths (last to {}, {}): the whole socket sends singly",
                 kGsoRefusingPaths, train.destination.to_string(), errno_name(code));
  }
}

void DatagramSender::log_drop(const packet::UdpTrain& train, int code) {
  if (code == logged_errno_ && train.destination == logged_destination_) return;
  logged_errno_ = code;
  logged_destination_ = train.destination;
  spdlog::debug("datagrams to {} dropped: {}", train.destination.to_string(), errno_name(code));
}

}  // namespace fireline::io
