#include "tools/bench/relay_load.h"

#include <fmt/format.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>

#include "core/stun/channel_data.h"
#include "io/control_message.h"
#include "io/socket_address.h"
#include "tools/bench/core_affinity.h"
#include "tools/bench/process.h"
#include "tools/bench/sequence_meter.h"

namespace fireline::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kReceiveBytes = 65536;
constexpr std::size_t kMaxUdpBytes = 65507;
constexpr int kSilenceMilliseconds = 150;  // after the sender's end: nothing is on its way any more
// A receiver that shares the sender's core looks: waiting for its sockets it would be woken for each train, and take
// the core away from the sender.
constexpr std::chrono::microseconds kLook{200};
constexpr int kReadsPerSocket = 16;  // before the next ready socket has its turn
// A sender that shares its core sleeps when its next send is further away than a wake-up takes.
constexpr std::chrono::microseconds kSleepLeast{30};
constexpr int kEchoMilliseconds = 100;  // a round trip that takes longer is lost

struct Cores {
  unsigned sender = 0;
  unsigned receiver = 1;
  [[nodiscard]] bool shared() const noexcept { return sender == receiver; }
};

std::uint32_t next_run() noexcept {
  static std::atomic<std::uint32_t> run{0};
  return ++run;
}

std::size_t header_bytes(const Flow& flow) noexcept {
  return flow.channel == 0 ? 0 : stun::kChannelHeaderBytes;
}

// One or many datagrams of equal length, each with room for a channel header in front.
class Burst {
 public:
  Burst(const RelayLoad& load, std::size_t header, std::uint32_t run)
      : header_(load.direction == Direction::to_peer ? header : 0),
        datagram_(header_ + load.payload_bytes),
        count_(std::clamp<std::size_t>(load.burst, 1, kMaxUdpBytes / datagram_)),
        bytes_(count_ * datagram_) {
    for (std::size_t i = 0; i < count_; ++i) {
      const Bytes datagram = Bytes(bytes_).subspan(i * datagram_, datagram_);
      if (header_ != 0) {
        stun::write_channel_header(datagram, stun::kMinChannel, static_cast<std::uint16_t>(load.payload_bytes));
      }
      store_be32(datagram, header_ + 12, run);
    }
  }

  void number(std::uint64_t first, std::uint32_t flow) {
    for (std::size_t i = 0; i < count_; ++i) {
      store_be64(bytes_, i * datagram_ + header_, first + i);
      store_be32(bytes_, i * datagram_ + header_ + 8, flow);
    }
  }

  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::size_t datagram_bytes() const noexcept { return datagram_; }
  [[nodiscard]] Bytes bytes() noexcept { return bytes_; }

 private:
  std::size_t header_;
  std::size_t datagram_;
  std::size_t count_;
  std::vector<std::byte> bytes_;
};

class Sender {
 public:
  // `load` is of this lane alone.
  Sender(const Lane& lane, const RelayLoad& load, std::uint32_t run, const Cores& cores)
      : flows_(lane.flows),
        peer_socket_(lane.peer_socket),
        load_(load),
        cores_(cores),
        burst_(load, header_bytes(flows_[0]), run) {
    for (const Flow& flow : flows_) targets_.push_back(io::to_socket_address(flow.reached_at));
    numbers_.resize(flows_.size());
    const int segment = static_cast<int>(burst_.datagram_bytes());
    const auto set = [&](int socket) {
      if (setsockopt(socket, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) != 0) {
        throw BenchError("the kernel has no UDP GSO");
      }
    };
    if (load.direction == Direction::to_client) {
      set(peer_socket_);
    } else {
      for (const Flow& flow : flows_) set(flow.socket.get());
    }
  }

  // Runs in a thread of its own for load.time.
  void send() {
    const OnCore here(cores_.sender);
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    const auto start = Clock::now();
    const auto end = start + load_.time;
    const double rate = load_.datagrams_per_second;
    const std::chrono::duration<double> gap(rate > 0 ? static_cast<double>(burst_.count()) / rate : 0.0);
    auto now = start;
    for (std::uint64_t calls = 0; now < end; ++calls) {
      const auto due = start + std::chrono::duration_cast<Clock::duration>(gap * static_cast<double>(calls));
      while ((now = Clock::now()) < due && now < end) {
        if (cores_.shared() && due - now > kSleepLeast) std::this_thread::sleep_until(std::min(due, end));
      }
      if (now >= end) break;
      if (!send_burst(calls % flows_.size())) return;
    }
    seconds_ = std::chrono::duration<double>(Clock::now() - start).count();
  }

  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] double seconds() const noexcept { return seconds_; }
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  // What the local queue refused was offered all the same: it counts as lost. False: an error that will not pass.
  bool send_burst(std::size_t flow) {
    burst_.number(numbers_[flow], static_cast<std::uint32_t>(flow));
    const bool to_peer = load_.direction == Direction::to_peer;
    const int socket = to_peer ? flows_[flow].socket.get() : peer_socket_;
    iovec piece{burst_.bytes().data(), burst_.bytes().size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (!to_peer) {
      message.msg_name = targets_[flow].get();
      message.msg_namelen = targets_[flow].length;
    }
    const ssize_t result = sendmsg(socket, &message, 0);
    numbers_[flow] += burst_.count();
    sent_ += burst_.count();
    const bool passing = errno == ENOBUFS || errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED;
    if (result < 0 && !passing) error_ = errno;
    return error_ == 0;
  }

  std::span<const Flow> flows_;
  int peer_socket_;
  RelayLoad load_;
  Cores cores_;
  Burst burst_;
  std::vector<io::SocketAddress> targets_;
  std::vector<std::uint64_t> numbers_;  // next per flow
  std::uint64_t sent_ = 0;
  double seconds_ = 0;
  int error_ = 0;
};

class Receiver {
 public:
  Receiver(const Lane& lane, const RelayLoad& load, std::uint32_t run, const Cores& cores)
      : poller_(epoll_create1(EPOLL_CLOEXEC)),
        run_(run),
        core_(cores.receiver),
        looks_(cores.shared()),
        meters_(lane.flows.size()) {
    if (load.direction == Direction::to_peer) {
      watch(lane.peer_socket);
    } else {
      header_ = header_bytes(lane.flows[0]);
      for (const Flow& flow : lane.flows) watch(flow.socket.get());
    }
    thread_ = std::jthread([this] { receive(); });
  }

  ~Receiver() { over_.store(true); }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  const std::vector<SequenceMeter>& finish() {
    over_.store(true);
    thread_.join();
    return meters_;
  }
  // After finish(); the clock's epoch when nothing came.
  [[nodiscard]] Clock::time_point last_arrival() const noexcept { return last_arrival_; }

 private:
  void watch(int socket) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = socket;
    if (epoll_ctl(poller_.get(), EPOLL_CTL_ADD, socket, &event) != 0) throw BenchError("epoll_ctl failed");
  }

  void receive() {
    const OnCore here(core_);
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    std::array<epoll_event, 64> events{};
    for (;;) {
      const bool over = over_.load();
      const int waits = looks_ && !over ? 0 : kSilenceMilliseconds;
      const int ready = epoll_wait(poller_.get(), events.data(), static_cast<int>(events.size()), waits);
      if (ready == 0 && over) return;
      if (ready == 0 && looks_) std::this_thread::sleep_for(kLook);
      for (int e = 0; e < ready; ++e) {
        const int socket = events[static_cast<std::size_t>(e)].data.fd;
        for (int reads = 0; reads < kReadsPerSocket && read(socket); ++reads) {
        }
      }
    }
  }

  bool read(int socket) {
    iovec piece{buffer_.data(), buffer_.size()};
    io::ControlBuffer control;
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    // Only the front is copied, the length is the whole train's: a receiver that copied all would be the slowest part
    // of the lab. The datagrams of a train are taken to be numbered on from its first.
    const ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0) return errno == ECONNREFUSED;  // an error of a send before; data may wait behind it
    const int segment = io::read_receive_control(message).segment_bytes.value_or(static_cast<int>(got));
    const auto train_bytes = static_cast<std::size_t>(got);
    const auto datagram_bytes = static_cast<std::size_t>(std::max(segment, 0));
    if (datagram_bytes < header_ + kLoadHeaderBytes || train_bytes < datagram_bytes) return true;
    const std::uint32_t flow = load_be32(buffer_, header_ + 8);
    if (load_be32(buffer_, header_ + 12) != run_ || flow >= meters_.size()) return true;
    last_arrival_ = Clock::now();
    const std::uint64_t first = load_be64(buffer_, header_);
    for (std::uint64_t i = 0; i < train_bytes / datagram_bytes; ++i) meters_[flow].arrived(first + i);
    return true;
  }

  io::FileDescriptor poller_;
  std::uint32_t run_;
  unsigned core_;
  bool looks_;
  std::size_t header_ = 0;
  std::vector<SequenceMeter> meters_;
  std::array<std::byte, stun::kChannelHeaderBytes + kLoadHeaderBytes> buffer_{};
  Clock::time_point last_arrival_{};
  std::atomic<bool> over_{false};
  std::jthread thread_;
};

// Sends everything back to where it came from until told to end.
void echo(int socket, const std::atomic<bool>& over) {
  const OnCore here(1);
  std::vector<std::byte> buffer(kReceiveBytes);
  while (!over.load()) {
    pollfd waiting{socket, POLLIN, 0};
    if (poll(&waiting, 1, 20) != 1) continue;
    io::SocketAddress from;
    from.length = sizeof from.storage;
    const ssize_t got = recvfrom(socket, buffer.data(), buffer.size(), MSG_DONTWAIT, from.get(), &from.length);
    if (got > 0) (void)sendto(socket, buffer.data(), static_cast<std::size_t>(got), 0, from.get(), from.length);
  }
}

}  // namespace

RelayResult run_relay_load(std::span<const Lane> lanes, const RelayLoad& load) {
  check_interrupt();
  RelayLoad of_lane = load;
  of_lane.datagrams_per_second /= static_cast<double>(lanes.size());
  std::vector<std::unique_ptr<Receiver>> receivers;
  std::vector<Sender> senders;
  for (unsigned i = 0; i < lanes.size(); ++i) {
    const std::uint32_t run = next_run();
    const Cores cores = lanes.size() == 1 ? Cores{} : Cores{i, i};
    receivers.push_back(std::make_unique<Receiver>(lanes[i], of_lane, run, cores));
    senders.emplace_back(lanes[i], of_lane, run, cores);
  }
  const auto start = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (Sender& sender : senders) threads.emplace_back([&sender] { sender.send(); });
  }
  RelayResult result;
  for (const Sender& sender : senders) {
    if (sender.error() != 0) throw BenchError(fmt::format("UDP send: {}", std::strerror(sender.error())));
    result.sent += sender.sent();
    result.seconds = std::max(result.seconds, sender.seconds());
  }
  for (const auto& receiver : receivers) {
    for (const SequenceMeter& meter : receiver->finish()) {
      result.received += meter.received();
      result.reordered += meter.reordered();
      result.duplicates += meter.duplicates();
      result.per_flow.push_back(static_cast<double>(meter.received()));
    }
    const double arriving = std::chrono::duration<double>(receiver->last_arrival() - start).count();
    result.arriving_seconds = std::max(result.arriving_seconds, arriving);
  }
  return result;
}

std::vector<double> relay_round_trips(const Flow& flow, int peer_socket, std::size_t payload_bytes, std::size_t count) {
  const RelayLoad load{Direction::to_peer, payload_bytes, 1, 0, {}};
  const std::uint32_t run = next_run();
  Burst burst(load, header_bytes(flow), run);
  const int no_segments = 0;
  for (const int socket : {flow.socket.get(), peer_socket}) {
    (void)setsockopt(socket, IPPROTO_UDP, UDP_SEGMENT, &no_segments, sizeof no_segments);
  }
  std::atomic<bool> over{false};
  std::jthread echoing([&] { echo(peer_socket, over); });
  std::vector<double> times;
  std::vector<std::byte> answer(kReceiveBytes);
  for (std::size_t i = 0; i < count; ++i) {
    burst.number(i, 0);
    const auto start = Clock::now();
    (void)::send(flow.socket.get(), burst.bytes().data(), burst.datagram_bytes(), 0);
    for (;;) {  // until the answer or silence; what an earlier load left in the queue is skipped
      pollfd waiting{flow.socket.get(), POLLIN, 0};
      if (poll(&waiting, 1, kEchoMilliseconds) != 1) break;
      const ssize_t got = recv(flow.socket.get(), answer.data(), answer.size(), MSG_DONTWAIT);
      const ConstBytes bytes = ConstBytes(answer).first(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
      const std::size_t header = header_bytes(flow);
      if (bytes.size() < header + kLoadHeaderBytes || load_be32(bytes, header + 12) != run) continue;
      if (load_be64(bytes, header) != i) continue;
      times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
      break;
    }
  }
  over.store(true);
  return times;
}

double jain_index(std::span<const double> shares) noexcept {
  double sum = 0;
  double squares = 0;
  for (const double share : shares) {
    sum += share;
    squares += share * share;
  }
  return squares == 0 ? 0 : sum * sum / (static_cast<double>(shares.size()) * squares);
}

}  // namespace fireline::bench
