#include "tools/bench/udp_generator.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "core/base/wire.h"
#include "io/file_descriptor.h"
#include "tools/bench/core_affinity.h"
#include "tools/bench/packet_sender.h"
#include "tools/bench/process.h"
#include "tools/bench/quic_window.h"
#include "tools/bench/sequence_meter.h"

namespace fireline::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint16_t kPort = 5301;
constexpr int kReceiveBufferBytes = 16 << 20;  // the receiver must not be where datagrams are lost
constexpr std::size_t kReceiveBatch = 8;       // buffers of 64 KiB; more would leave the cache
constexpr std::size_t kReceiveBytes = 65536;
constexpr std::size_t kAnswerBytes = 40;   // a QUIC packet with one ACK frame
constexpr int kAnswerMilliseconds = 25;    // RFC 9000: max_ack_delay; longer silence is a timeout
constexpr int kSilenceMilliseconds = 150;  // after the sender's end: nothing is on its way any more

sockaddr_in address_of(const std::string& text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kPort);
  if (inet_pton(AF_INET, text.c_str(), &address.sin_addr) != 1) throw BenchError("no IPv4 address: " + text);
  return address;
}

const sockaddr* generic(const sockaddr_in& address) {
  return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

io::FileDescriptor udp_socket(const std::string& network_namespace) {
  const InsideNamespace inside(network_namespace);
  io::FileDescriptor descriptor(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!descriptor) throw BenchError(fmt::format("cannot open a UDP socket: {}", std::strerror(errno)));
  return descriptor;
}

class Receiver {
 public:
  Receiver(const std::string& network_namespace, bool acknowledges)
      : socket_(udp_socket(network_namespace)), acknowledges_(acknowledges) {
    const int on = 1;
    const timeval timeout{0, kSilenceMilliseconds * 1000L};
    (void)setsockopt(socket_.get(), IPPROTO_UDP, UDP_GRO, &on, sizeof on);
    (void)setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBufferBytes, sizeof kReceiveBufferBytes);
    (void)setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    const sockaddr_in any = address_of("0.0.0.0");
    if (bind(socket_.get(), generic(any), sizeof any) != 0) {
      throw BenchError(fmt::format("cannot bind UDP port {}: {}", kPort, std::strerror(errno)));
    }
    thread_ = std::jthread([this] { receive(); });
  }
  ~Receiver() { over_.store(true); }  // also where the sender failed: the thread is joined next
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  const SequenceMeter& finish() {
    over_.store(true);
    thread_.join();
    return meter_;
  }
  // After finish(); of what brought at least one datagram.
  [[nodiscard]] Clock::time_point last_arrival() const noexcept { return last_arrival_; }

 private:
  void receive() {
    const OnCore here(1);
    std::vector<std::byte> buffers(kReceiveBatch * kReceiveBytes);
    std::array<mmsghdr, kReceiveBatch> messages{};
    std::array<iovec, kReceiveBatch> pieces{};
    struct alignas(cmsghdr) Control {
      std::array<std::byte, CMSG_SPACE(sizeof(int))> bytes;
    };
    std::array<Control, kReceiveBatch> controls{};
    sockaddr_in source{};
    for (;;) {
      for (std::size_t i = 0; i < kReceiveBatch; ++i) {
        pieces[i] = {buffers.data() + i * kReceiveBytes, kReceiveBytes};
        messages[i] = {};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_control = controls[i].bytes.data();
        messages[i].msg_hdr.msg_controllen = controls[i].bytes.size();
        messages[i].msg_hdr.msg_name = &source;  // all of one sender
        messages[i].msg_hdr.msg_namelen = sizeof source;
      }
      const int got = recvmmsg(socket_.get(), messages.data(), kReceiveBatch, MSG_WAITFORONE, nullptr);
      if (got < 0 && errno != EAGAIN && errno != EINTR) return;
      if (got < 0 && over_.load()) return;
      if (got > 0) last_arrival_ = Clock::now();
      for (int i = 0; i < got; ++i) {
        const auto index = static_cast<std::size_t>(i);
        count(ConstBytes(buffers).subspan(index * kReceiveBytes, messages[index].msg_len), messages[index].msg_hdr);
      }
      if (got > 0 && acknowledges_) acknowledge(source);
    }
  }

  void acknowledge(const sockaddr_in& source) {
    std::array<std::byte, kAnswerBytes> answer{};
    store_be64(answer, 0, meter_.next());
    store_be64(answer, 8, meter_.received());
    // One that is lost is made up for by the next.
    (void)sendto(socket_.get(), answer.data(), answer.size(), 0, generic(source), sizeof source);
  }

  void count(ConstBytes bytes, msghdr& header) {
    std::size_t datagram_bytes = bytes.size();
    for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
      if (control->cmsg_level != IPPROTO_UDP || control->cmsg_type != UDP_GRO) continue;
      int segment = 0;
      std::memcpy(&segment, CMSG_DATA(control), sizeof segment);
      datagram_bytes = static_cast<std::size_t>(segment);
    }
    for (std::size_t at = 0; datagram_bytes != 0 && at + 8 <= bytes.size(); at += datagram_bytes) {
      meter_.arrived(load_be64(bytes, at));
    }
  }

  io::FileDescriptor socket_;
  bool acknowledges_;
  SequenceMeter meter_;
  Clock::time_point last_arrival_;
  std::atomic<bool> over_{false};
  std::jthread thread_;
};

class Sender {
 public:
  Sender(const UdpPath& path, const UdpLoad& load)
      : load_(load),
        train_(std::clamp<std::size_t>(load.train, 1, 65507 / load.payload_bytes)),
        socket_(udp_socket(path.sender_namespace)),
        bytes_(train_ * load.payload_bytes) {
    if (train_ == 1 && load.datagrams_per_second == 0) {
      packets_.emplace(path.sender_namespace, path.receiver_address, kPort, load.payload_bytes);
    }
    const sockaddr_in target = address_of(path.receiver_address);
    if (connect(socket_.get(), generic(target), sizeof target) != 0) {
      throw BenchError(fmt::format("cannot reach {}: {}", path.receiver_address, std::strerror(errno)));
    }
    const int segment = static_cast<int>(load.payload_bytes);
    if (train_ > 1 && setsockopt(socket_.get(), IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) != 0) {
      throw BenchError("the kernel has no UDP GSO");
    }
  }

  // Runs in a thread of its own for load.time.
  void send() {
    const OnCore here(0);
    const auto start = Clock::now();
    load_.quic ? send_by_window(start + load_.time) : send_by_clock(start);
    seconds_ = std::chrono::duration<double>(Clock::now() - start).count();
  }

  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] double seconds() const noexcept { return seconds_; }
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  // False after an error.
  bool offer(int offered) {
    if (offered < 0) {
      error_ = -offered;
      return false;
    }
    sent_ += static_cast<std::uint64_t>(offered);
    return true;
  }

  void send_by_clock(Clock::time_point start) {
    const auto end = start + load_.time;
    const std::chrono::duration<double> gap(
        load_.datagrams_per_second > 0 ? static_cast<double>(train_) / load_.datagrams_per_second : 0.0);
    auto now = start;
    for (std::uint64_t calls = 0; now < end; ++calls) {
      const auto due = start + std::chrono::duration_cast<Clock::duration>(gap * static_cast<double>(calls));
      while ((now = Clock::now()) < due && now < end) {
      }
      if (now >= end) break;
      if (!offer(packets_ ? packets_->send(sent_) : send_train())) return;
    }
  }

  void send_by_window(Clock::time_point end) {
    const timeval patience{0, kAnswerMilliseconds * 1000L};
    (void)setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    QuicWindow window;
    std::array<std::byte, kAnswerBytes> answer;
    while (Clock::now() < end) {
      const bool full = !window.may_send(train_);
      // Answers are read as they come; only a full window waits for one.
      const ssize_t got = recv(socket_.get(), answer.data(), answer.size(), full ? 0 : MSG_DONTWAIT);
      if (got == static_cast<ssize_t>(answer.size())) {
        window.acknowledged(load_be64(answer, 0), load_be64(answer, 8));
      } else if (full) {
        window.timed_out();
      } else {
        if (!offer(send_train())) return;
        window.sent(train_);
      }
    }
  }

  // What the local queue refused was offered all the same: it counts as lost.
  [[nodiscard]] int send_train() {
    for (std::size_t i = 0; i < train_; ++i) store_be64(bytes_, i * load_.payload_bytes, sent_ + i);
    const ssize_t result = ::send(socket_.get(), bytes_.data(), bytes_.size(), 0);
    const bool passing = errno == ENOBUFS || errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED;
    return result < 0 && !passing ? -errno : static_cast<int>(train_);
  }

  UdpLoad load_;
  std::size_t train_;
  io::FileDescriptor socket_;
  std::vector<std::byte> bytes_;
  std::optional<PacketSender> packets_;  // an unpaced sender of singles
  std::uint64_t sent_ = 0;
  double seconds_ = 0;
  int error_ = 0;
};

}  // namespace

UdpResult run_udp(const UdpPath& path, const UdpLoad& load) {
  check_interrupt();
  std::optional<Receiver> receiver;
  if (!path.receiver_namespace.empty()) receiver.emplace(path.receiver_namespace, load.quic);
  Sender sender(path, load);
  const auto start = Clock::now();
  std::jthread thread([&] { sender.send(); });
  thread.join();
  if (sender.error() != 0) throw BenchError(fmt::format("UDP send: {}", std::strerror(sender.error())));
  UdpResult result;
  result.sent = sender.sent();
  std::chrono::duration<double> arriving{};
  if (receiver) {
    const SequenceMeter& meter = receiver->finish();
    result.received = meter.received();
    result.reordered = meter.reordered();
    result.duplicates = meter.duplicates();
    arriving = receiver->last_arrival() - start;
  }
  result.set_times(load.payload_bytes, sender.seconds(), arriving.count());
  return result;
}

}  // namespace fireline::bench
