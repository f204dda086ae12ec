#include "relay/train_sender.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/control_message.h"
#include "io/io_error.h"
#include "io/socket_address.h"
#include "io/udp_bind.h"

namespace fireline::relay {
namespace {

// Per train; a non-blocking send is hardly ever interrupted, so that more means something is badly wrong.
constexpr unsigned kInterruptsMax = 16;

bool is_unreachable(int code) noexcept {
  return code == ENETUNREACH || code == EHOSTUNREACH || code == EHOSTDOWN || code == ENETDOWN ||
         code == EADDRNOTAVAIL || code == ENODEV || code == ENXIO || code == EAFNOSUPPORT;
}

TrainView view_of(const WaitingTrain& train, const iovec& piece) noexcept {
  return {.to = train.to,
          .ecn = train.ecn,
          .segment_bytes = train.segment_bytes,
          .last_bytes = train.bytes.size() - (train.count - 1) * train.segment_bytes,
          .count = train.count,
          .pieces = std::span(&piece, 1),
          .pieces_per_segment = 0};
}

}  // namespace

struct TrainSender::Attempt {
  const RelaySocket& socket;
  const TrainView& train;
  io::SocketAddress to;
  io::GsoPolicy& gso;
  std::size_t segments_max;
  int refusal = 0;  // errno of a GSO refusal that no single datagram has confirmed yet
  unsigned interrupts = 0;
  bool busy_retried = false;
  bool error_retried = false;
};

TrainSender::State TrainSender::send(RelaySocket& socket, const TrainView& train, Instant now) {
  if (socket.waiting) {  // behind what came earlier
    queue(socket, train, 0);
    return State::blocked;
  }
  const Progress progress = transmit(socket, train, now);
  if (progress.done == train.count) return State::idle;
  queue(socket, train, progress.done);
  // A train that does not fit the queue leaves it empty.
  return socket.waiting ? progress.state : State::idle;
}

TrainSender::State TrainSender::flush(RelaySocket& socket, Instant now) {
  while (socket.waiting) {
    WaitingQueue& queue = *socket.waiting;
    WaitingTrain& first = queue.trains.front();
    const iovec piece{.iov_base = first.bytes.data(), .iov_len = first.bytes.size()};
    const TrainView train = view_of(first, piece);
    const Progress progress = transmit(socket, train, now);
    if (progress.done != 0) queue.busy_attempts = 0;
    if (progress.done == train.count) {
      remove_first(socket);
      continue;
    }
    if (progress.done != 0) {
      const std::size_t gone = progress.done * first.segment_bytes;
      first.bytes.erase(first.bytes.begin(), first.bytes.begin() + static_cast<std::ptrdiff_t>(gone));
      first.count -= progress.done;
      queue.bytes -= gone;
      waiting_bytes_ -= gone;
    }
    if (progress.state == State::busy && ++queue.busy_attempts > kBusyAttemptsMax) {
      counters_.add(RelayCounter::drop_busy, first.count);
      queue.busy_attempts = 0;
      remove_first(socket);
      continue;
    }
    return progress.state;
  }
  return State::idle;
}

void TrainSender::discard(RelaySocket& socket) noexcept {
  while (socket.waiting) {
    counters_.add(RelayCounter::drop_closed, socket.waiting->trains.front().count);
    remove_first(socket);
  }
}

TrainSender::Progress TrainSender::transmit(const RelaySocket& socket, const TrainView& train, Instant now) {
  io::GsoPolicy& gso = socket.family() == Family::v4 ? gso_v4_ : gso_v6_;
  Attempt attempt{
      .socket = socket, .train = train, .to = io::to_socket_address(train.to), .gso = gso, .segments_max = 1};
  if (train.count > 1) {
    packet::UdpTrain path;
    path.destination = train.to;
    attempt.segments_max = gso.segments(path, now);
  }
  std::size_t done = 0;
  while (done < train.count) {
    const std::size_t segments = std::min(train.count - done, attempt.segments_max);
    const ssize_t result = send_segments(attempt, done, segments);
    if (result >= 0) {
      note_sent(attempt, done, segments, now);
      done += segments;
      continue;
    }
    RelayCounter why = RelayCounter::drop_other;
    switch (react(static_cast<int>(-result), attempt, segments, why)) {
      case Reaction::again:
        break;
      case Reaction::drop_one:
        counters_.add(why);
        ++done;
        break;
      case Reaction::drop_rest:
        counters_.add(why, train.count - done);
        return {.done = train.count};
      case Reaction::wait_writable:
        return {.done = done, .state = State::blocked};
      case Reaction::wait_busy:
        return {.done = done, .state = State::busy};
    }
  }
  return {.done = done};
}

ssize_t TrainSender::send_segments(const Attempt& attempt, std::size_t first, std::size_t segments) noexcept {
  const TrainView& train = attempt.train;
  msghdr message{};
  message.msg_name = const_cast<sockaddr*>(attempt.to.get());
  message.msg_namelen = attempt.to.length;
  iovec whole{};
  if (train.pieces_per_segment == 0) {
    whole = {.iov_base = static_cast<std::byte*>(train.pieces[0].iov_base) + first * train.segment_bytes,
             .iov_len = train.bytes_of(first, segments)};
    message.msg_iov = &whole;
    message.msg_iovlen = 1;
  } else {
    const auto pieces = train.pieces.subspan(first * train.pieces_per_segment, segments * train.pieces_per_segment);
    message.msg_iov = const_cast<iovec*>(pieces.data());
    message.msg_iovlen = pieces.size();
  }
  io::ControlBuffer control;
  const auto segment_bytes = segments > 1 ? static_cast<std::uint16_t>(train.segment_bytes) : std::uint16_t{0};
  io::write_send_control(message, control, attempt.socket.family(), {.segment_bytes = segment_bytes, .ecn = train.ecn});
  return syscalls_.sendmsg(attempt.socket.fd(), message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void TrainSender::note_sent(Attempt& attempt, std::size_t first, std::size_t segments, Instant now) {
  attempt.busy_retried = false;
  attempt.error_retried = false;
  counters_.add(RelayCounter::send_calls);
  counters_.add(RelayCounter::sent, segments);
  counters_.add(RelayCounter::sent_bytes, attempt.train.bytes_of(first, segments));
  if (segments > 1) counters_.add(RelayCounter::gso_calls);
  if (attempt.refusal == 0 || segments > 1) return;
  packet::UdpTrain path;
  path.destination = attempt.train.to;
  const int code = std::exchange(attempt.refusal, 0);
  const auto news = attempt.gso.refuse(path, code, now);
  if (news == io::GsoPolicy::Refusal::known || news == io::GsoPolicy::Refusal::path) return;
  spdlog::info("UDP segmentation offload refused on the path to {} ({}): {}", path.destination.address.to_string(),
               io::errno_name(code),
               news == io::GsoPolicy::Refusal::socket ? "several paths refuse, all datagrams go singly"
                                                      : "datagrams of refusing paths go singly");
}

TrainSender::Reaction TrainSender::react(int code, Attempt& attempt, std::size_t segments, RelayCounter& why) noexcept {
  const bool gso = segments > 1;
  switch (code) {
    case EINTR:
      if (++attempt.interrupts <= kInterruptsMax) return Reaction::again;
      counters_.add(RelayCounter::kernel_busy);
      return Reaction::wait_busy;
    case EAGAIN:
      counters_.add(RelayCounter::would_block);
      return Reaction::wait_writable;
    case ENOBUFS:
    case ENOMEM:
      if (!std::exchange(attempt.busy_retried, true)) return Reaction::again;
      counters_.add(RelayCounter::kernel_busy);
      return Reaction::wait_busy;
    case EMSGSIZE:
      if (gso) {
        attempt.segments_max = 1;
        return Reaction::again;
      }
      // Older kernels answer EINVAL to a train of datagrams that are too large for the path: no refusal of GSO.
      attempt.refusal = 0;
      if (io::allow_fragments(attempt.socket.fd())) return Reaction::again;
      why = RelayCounter::drop_too_big;
      return Reaction::drop_one;
    case EIO:
    case EINVAL:
      if (gso) {
        counters_.add(RelayCounter::gso_refused);
        attempt.segments_max = 1;
        attempt.refusal = code;
        return Reaction::again;
      }
      why = code == EINVAL ? RelayCounter::drop_invalid : RelayCounter::drop_other;
      return Reaction::drop_rest;
    case EPERM:
    case EACCES:
      why = RelayCounter::drop_denied;
      return Reaction::drop_rest;
    default:
      break;
  }
  if (is_unreachable(code)) {
    why = RelayCounter::drop_unreachable;
    return Reaction::drop_rest;
  }
  // It may be an error that the socket had still to report of an earlier datagram: this one was not tried.
  if (!std::exchange(attempt.error_retried, true)) return Reaction::again;
  why = RelayCounter::drop_other;
  return Reaction::drop_rest;
}

void TrainSender::queue(RelaySocket& socket, const TrainView& train, std::size_t first) {
  const std::size_t count = train.count - first;
  const std::size_t bytes = train.bytes_of(first, count);
  const std::size_t cost = bytes + kWaitingTrainBytes;
  const std::size_t waiting = socket.waiting ? socket.waiting->bytes : 0;
  if (waiting + cost > kWaitingBytesPerSocket || waiting_bytes_ + cost > kWaitingBytesTotal) {
    counters_.add(RelayCounter::drop_queue_full, count);
    return;
  }
  WaitingTrain copy{
      .to = train.to, .ecn = train.ecn, .segment_bytes = train.segment_bytes, .count = count, .bytes = {}};
  copy.bytes.reserve(bytes);
  if (train.pieces_per_segment == 0) {
    const auto* begin = static_cast<const std::byte*>(train.pieces[0].iov_base) + first * train.segment_bytes;
    copy.bytes.assign(begin, begin + bytes);
  } else {
    for (const iovec& piece : train.pieces.subspan(first * train.pieces_per_segment)) {
      const auto* begin = static_cast<const std::byte*>(piece.iov_base);
      copy.bytes.insert(copy.bytes.end(), begin, begin + piece.iov_len);
    }
  }
  if (!socket.waiting) socket.waiting = std::make_unique<WaitingQueue>();
  socket.waiting->trains.push_back(std::move(copy));
  socket.waiting->bytes += cost;
  waiting_bytes_ += cost;
  counters_.add(RelayCounter::queued, count);
}

void TrainSender::remove_first(RelaySocket& socket) noexcept {
  WaitingQueue& queue = *socket.waiting;
  const std::size_t cost = queue.trains.front().bytes.size() + kWaitingTrainBytes;
  queue.bytes -= cost;
  waiting_bytes_ -= cost;
  queue.trains.pop_front();
  if (queue.trains.empty()) socket.waiting.reset();
}

}  // namespace fireline::relay
