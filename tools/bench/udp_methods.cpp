#include "tools/bench/udp_methods.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "io/control_message.h"
#include "io/pool.h"
#include "io/socket_address.h"
#include "io/udp_open.h"
#include "io/uring.h"
#include "tools/bench/namespace_pair.h"
#include "tools/bench/process.h"

namespace fireline::bench {
namespace {

constexpr std::size_t kLargeBytes = 65536;
// One turn's buffers and no more: what a thread has in its cache.
constexpr std::size_t kPoolBytes = (8 + io::kReceiveSlots) * packet::kLargeBufferBytes;

std::unique_ptr<io::UdpPort> open_socket(const std::string& network_namespace, const char* address, bool gro,
                                         io::UdpIo backend) {
  const InsideNamespace inside(network_namespace);
  io::UdpOptions options;
  options.address = IpAddress::parse(address);
  options.gro = gro;
  options.io = backend;
  auto socket = io::open_udp(options);
  if (!socket.has_value()) throw BenchError(socket.error().to_string());
  return std::move(*socket);
}

[[noreturn]] void refused(const char* call) {
  throw BenchError(std::string(call) + " failed: " + std::strerror(errno));
}

// Two sockets and the bytes of one train; the base of all methods.
class Sockets : public UdpMethod {
 public:
  Sockets(const std::string& a, const std::string& b, std::size_t datagram_bytes, bool gro,
          io::UdpIo backend = io::UdpIo::syscall)
      : datagram_bytes_(datagram_bytes),
        sender_(open_socket(a, kUnderlayA, gro, backend)),
        receiver_(open_socket(b, kUnderlayB, gro, backend)),
        train_(std::max(kCallDatagrams, train_datagrams(datagram_bytes)) * datagram_bytes, std::byte{0x42}) {
    destination_ = {.address = *IpAddress::parse(kUnderlayB), .port = receiver_->port(), .scope = 0};
    address_ = io::to_socket_address(destination_);
  }
  int poll_fd() const noexcept override { return receiver_->poll_fd(); }

 protected:
  [[nodiscard]] Bytes datagram(std::size_t index) noexcept {
    return Bytes(train_).subspan(index * datagram_bytes_, datagram_bytes_);
  }

  std::size_t datagram_bytes_;
  std::unique_ptr<io::UdpPort> sender_;
  std::unique_ptr<io::UdpPort> receiver_;
  std::vector<std::byte> train_;
  Endpoint destination_;
  io::SocketAddress address_;
};

class OneByOne final : public Sockets {
 public:
  OneByOne(const std::string& a, const std::string& b, std::size_t bytes)
      : Sockets(a, b, bytes, false), memory_(kLargeBytes) {}
  const char* send_name() const noexcept override { return "sendto"; }
  const char* receive_name() const noexcept override { return "recvmsg"; }

  void send(std::size_t datagrams) override {
    for (std::size_t i = 0; i < datagrams; ++i) {
      const Bytes bytes = datagram(i % kCallDatagrams);
      if (::sendto(sender_->send_fd(), bytes.data(), bytes.size(), 0, address_.get(), address_.length) < 0) {
        refused("sendto");
      }
    }
  }
  std::size_t receive() override {
    iovec vector{.iov_base = memory_.data(), .iov_len = memory_.size()};
    sockaddr_storage source;
    io::ControlBuffer control;
    msghdr message{};
    message.msg_name = &source;
    message.msg_namelen = sizeof source;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    return ::recvmsg(receiver_->send_fd(), &message, MSG_DONTWAIT) > 0 ? 1 : 0;
  }

 private:
  std::vector<std::byte> memory_;
};

class ManyPerCall final : public Sockets {
 public:
  ManyPerCall(const std::string& a, const std::string& b, std::size_t bytes)
      : Sockets(a, b, bytes, false), memory_(kCallDatagrams * kSlotBytes) {}
  const char* send_name() const noexcept override { return "sendmmsg"; }
  const char* receive_name() const noexcept override { return "recvmmsg"; }

  void send(std::size_t datagrams) override {
    for (std::size_t i = 0; i < kCallDatagrams; ++i) {
      const Bytes bytes = datagram(i);
      vectors_[i] = {.iov_base = bytes.data(), .iov_len = bytes.size()};
      messages_[i] = {};
      messages_[i].msg_hdr.msg_name = address_.get();
      messages_[i].msg_hdr.msg_namelen = address_.length;
      messages_[i].msg_hdr.msg_iov = &vectors_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
    while (datagrams > 0) {
      const auto count = static_cast<unsigned>(std::min(datagrams, kCallDatagrams));
      const int sent = ::sendmmsg(sender_->send_fd(), messages_.data(), count, 0);
      if (sent <= 0) refused("sendmmsg");
      datagrams -= static_cast<std::size_t>(sent);
    }
  }
  std::size_t receive() override {
    for (std::size_t i = 0; i < kCallDatagrams; ++i) {
      vectors_[i] = {.iov_base = memory_.data() + i * kSlotBytes, .iov_len = kSlotBytes};
      messages_[i] = {};
      messages_[i].msg_hdr.msg_name = &sources_[i];
      messages_[i].msg_hdr.msg_namelen = sizeof sources_[i];
      messages_[i].msg_hdr.msg_iov = &vectors_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
      messages_[i].msg_hdr.msg_control = controls_[i].bytes.data();
      messages_[i].msg_hdr.msg_controllen = controls_[i].bytes.size();
    }
    const int received = ::recvmmsg(receiver_->send_fd(), messages_.data(), kCallDatagrams, MSG_DONTWAIT, nullptr);
    return received > 0 ? static_cast<std::size_t>(received) : 0;
  }

 private:
  static constexpr std::size_t kSlotBytes = 2048;
  std::vector<std::byte> memory_;
  std::array<iovec, kCallDatagrams> vectors_{};
  std::array<mmsghdr, kCallDatagrams> messages_{};
  std::array<sockaddr_storage, kCallDatagrams> sources_{};
  std::array<io::ControlBuffer, kCallDatagrams> controls_{};
};

// What the data path uses: a backend of io::UdpPort, with all it reads out of a message and all it counts.
class Backend final : public Sockets {
 public:
  enum class Kind : std::uint8_t { trains, singles };

  Backend(const std::string& a, const std::string& b, std::size_t bytes, Kind kind, io::UdpIo backend)
      : Sockets(a, b, bytes, true, backend),
        kind_(kind),
        name_(std::string(io::name_of(backend)) + (kind == Kind::trains ? ", trains" : ", singles")),
        pool_("bench", packet::kLargeBufferBytes, kPoolBytes) {
    pool_.adopt(nullptr);
  }
  // The receiver holds buffers of the pool.
  ~Backend() override {
    received_.clear();
    receiver_.reset();
  }
  const char* send_name() const noexcept override { return name_.c_str(); }
  const char* receive_name() const noexcept override { return send_name(); }

  void send(std::size_t datagrams) override {
    batch_.clear();
    const std::size_t per_train = kind_ == Kind::trains ? train_datagrams(datagram_bytes_) : 1;
    while (datagrams > 0) {
      const std::size_t count = std::min(datagrams, per_train);
      datagrams -= count;
      packet::UdpTrain train;
      train.bytes = Bytes(train_).first(count * datagram_bytes_);
      train.segment_bytes = static_cast<std::uint16_t>(datagram_bytes_);
      train.destination = destination_;
      batch_.trains.push_back(train);
    }
    io::SendCursor cursor;
    if (sender_->send(batch_, cursor, Instant{}) != io::IoStatus::done) throw BenchError("the socket's buffer is full");
  }
  std::size_t receive() override {
    received_.clear();
    const std::uint64_t before = receiver_->receive_counters().get(io::UdpReceiveCounter::datagrams);
    (void)receiver_->receive(received_, pool_);
    return receiver_->receive_counters().get(io::UdpReceiveCounter::datagrams) - before;
  }

 private:
  Kind kind_;
  std::string name_;
  io::BufferPool pool_;
  packet::UdpBatch received_;
  packet::UdpSendBatch batch_;
};

}  // namespace

std::size_t train_datagrams(std::size_t datagram_bytes) noexcept {
  return std::min(packet::kTrainSegments, packet::kTrainBytesV4 / datagram_bytes);
}

std::vector<std::unique_ptr<UdpMethod>> make_udp_methods(const std::string& a, const std::string& b,
                                                         std::size_t datagram_bytes) {
  std::vector<std::unique_ptr<UdpMethod>> methods;
  methods.push_back(std::make_unique<OneByOne>(a, b, datagram_bytes));
  methods.push_back(std::make_unique<ManyPerCall>(a, b, datagram_bytes));
  for (const auto kind : {Backend::Kind::singles, Backend::Kind::trains}) {
    for (const auto backend : {io::UdpIo::syscall, io::UdpIo::io_uring}) {
      if (backend == io::UdpIo::io_uring && !io::Uring::open(1, 2).has_value()) continue;  // not on this machine
      methods.push_back(std::make_unique<Backend>(a, b, datagram_bytes, kind, backend));
    }
  }
  return methods;
}

}  // namespace fireline::bench
