#include "io/datagram_sender.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "io/control_message.h"
#include "io/io_error.h"
#include "io/socket_address.h"
#include "io/udp_bind.h"

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

void next_train(SendCursor& cursor) noexcept {
  ++cursor.train;
  cursor.offset_bytes = 0;
  cursor.busy_count = 0;
}

// The local firewall's refusals come in floods; one line tells it all.
std::atomic_flag denied_was_logged = ATOMIC_FLAG_INIT;

}  // namespace

struct DatagramSender::TrainState {
  const packet::UdpTrain* train;
  std::size_t segment_bytes;
  std::size_t segments_max;
  bool sendable;  // to a destination of this socket's family
  bool has_local;
  bool use_local;
  int refusal = 0;  // errno of a GSO refusal that no single datagram has confirmed yet
  unsigned interrupts = 0;
  bool busy_retried = false;
  bool error_retried = false;
};

// What a header of the chain points to, and which part of the batch it is.
struct DatagramSender::Message {
  SocketAddress destination;
  iovec vector;
  ControlBuffer control;
  std::size_t train;
  std::size_t length;
};

DatagramSender::DatagramSender(int fd, Family family, std::size_t segments_max, UdpSyscalls& syscalls,
                               std::size_t chain_messages)
    : fd_(fd),
      family_(family),
      syscalls_(syscalls),
      chain_(chain_messages),
      headers_(chain_messages),
      gso_(segments_max) {}

DatagramSender::~DatagramSender() = default;

IoStatus DatagramSender::send(const packet::UdpSendBatch& batch, SendCursor& cursor, Instant now) {
  cursor.kernel_busy = false;
  while (cursor.train < batch.trains.size()) {
    const packet::UdpTrain& train = batch.trains[cursor.train];
    TrainState state = start(train, now);
    Reaction reaction = Reaction::again;
    if (!state.sendable) reaction = drop_rest(UdpSendCounter::drop_invalid, state, cursor, EAFNOSUPPORT);
    while (reaction == Reaction::again && cursor.train < batch.trains.size() &&
           cursor.offset_bytes < state.train->bytes.size()) {
      reaction = send_chain(batch, cursor, state, now);
    }
    if (reaction == Reaction::would_block) return IoStatus::would_block;
    if (reaction == Reaction::closed) return IoStatus::closed;
    next_train(cursor);
  }
  return IoStatus::done;
}

DatagramSender::TrainState DatagramSender::start(const packet::UdpTrain& train, Instant now) noexcept {
  const bool has_local = !train.local.address.is_unspecified() || train.local.interface != 0;
  return {.train = &train,
          .segment_bytes = train.segment_bytes != 0 ? train.segment_bytes : train.bytes.size(),
          .segments_max = gso_.segments(train, now),
          .sendable = train.destination.address.family() == family_,
          .has_local = has_local,
          .use_local = has_local};
}

// `state` is the current train's; those behind it are planned from their start.
void DatagramSender::plan_chain(const packet::UdpSendBatch& batch, const SendCursor& cursor, TrainState state,
                                Instant now) noexcept {
  const std::size_t bytes_max = family_ == Family::v4 ? packet::kTrainBytesV4 : packet::kTrainBytesV6;
  chain_length_ = 0;
  std::size_t offset = cursor.offset_bytes;
  for (std::size_t train = cursor.train;;) {
    while (offset < state.train->bytes.size()) {
      const std::size_t rest = state.train->bytes.size() - offset;
      const std::size_t length = chunk_bytes(rest, state.segment_bytes, state.segments_max, bytes_max);
      plan_message(train, state, offset, length);
      // What this one tells about its path decides how the next ones go.
      if (chain_length_ == chain_.size() || state.refusal != 0) return;
      offset += length;
    }
    if (++train == batch.trains.size()) return;
    state = start(batch.trains[train], now);
    if (!state.sendable) return;
    offset = 0;
  }
}

void DatagramSender::plan_message(std::size_t train, const TrainState& state, std::size_t offset,
                                  std::size_t length) noexcept {
  Message& message = chain_[chain_length_];
  message.destination = to_socket_address(state.train->destination);
  const Bytes bytes = state.train->bytes.subspan(offset, length);
  message.vector = {.iov_base = bytes.data(), .iov_len = bytes.size()};
  message.train = train;
  message.length = length;
  msghdr& header = headers_[chain_length_];
  header = {};
  header.msg_name = message.destination.get();
  header.msg_namelen = message.destination.length;
  header.msg_iov = &message.vector;
  header.msg_iovlen = 1;
  // A segment size that is not smaller than the datagram is refused with EIO by some kernels.
  const bool gso = length > state.segment_bytes;
  write_send_control(header, message.control, family_,
                     {.segment_bytes = gso ? state.train->segment_bytes : std::uint16_t{0},
                      .ecn = state.train->ecn,
                      .local = state.use_local ? &state.train->local : nullptr});
  ++chain_length_;
}

// Leaves cursor and state at the first train that is not sent whole, or at the end of the last one of the chain.
DatagramSender::Reaction DatagramSender::send_chain(const packet::UdpSendBatch& batch, SendCursor& cursor,
                                                    TrainState& state, Instant now) {
  plan_chain(batch, cursor, state, now);
  const auto result = syscalls_.send_chain(fd_, std::span(headers_).first(chain_length_), MSG_DONTWAIT | MSG_NOSIGNAL);
  const auto go_to = [&](const Message& message) {
    if (message.train == cursor.train) return;
    cursor.train = message.train;
    cursor.offset_bytes = 0;
    cursor.busy_count = 0;
    state = start(batch.trains[message.train], now);
  };
  for (std::size_t i = 0; i < result.sent; ++i) {
    go_to(chain_[i]);
    note_sent(state, cursor, chain_[i].length, now);
  }
  if (result.sent == chain_length_) return Reaction::again;
  const Message& failed = chain_[result.sent];
  go_to(failed);
  return react(result.code, state, cursor, failed.length);
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
    log_refusal(gso_.refuse(*state.train, code, now), *state.train, code);
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
      // Older kernels answer EINVAL to a train of datagrams that are too large for the path: no refusal of GSO.
      state.refusal = 0;
      if (allow_fragments(fd_)) return Reaction::again;
      counters_.add(UdpSendCounter::drop_too_big);
      log_drop(*state.train, code);
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
  const std::size_t rest_bytes = state.train->bytes.size() - cursor.offset_bytes;
  if (rest_bytes != 0) counters_.add(counter, datagrams_in(rest_bytes, state.segment_bytes));
  if (counter == UdpSendCounter::drop_denied && !denied_was_logged.test_and_set()) {
    spdlog::info(
        "sending to {} was refused by this host ({}): check local firewall rules for outbound UDP (WireGuard, STUN, "
        "TURN); further refusals are only counted",
        state.train->destination.to_string(), errno_name(code));
  }
  log_drop(*state.train, code);
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
