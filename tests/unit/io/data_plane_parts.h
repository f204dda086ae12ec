// What stands around a data plane in its tests: a TUN and a socket whose other ends the test holds, an engine that only
// passes on, and a cipher that shows in the bytes how often it ran.
#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "core/crypto/aead.h"
#include "core/packet/engine.h"
#include "io/file_descriptor.h"
#include "io/tun_port.h"

namespace fireline::io {

// A TUN whose other end is in the test: a pair of packet sockets with the kernel's own limits.
class SocketTun final : public TunPort {
 public:
  SocketTun() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
    ours_ = FileDescriptor(fds[0]);
    host_ = FileDescriptor(fds[1]);
  }
  [[nodiscard]] int host() const noexcept { return host_.get(); }
  void remove() noexcept { host_.reset(); }

  IoStatus read(packet::TunBatch& batch, packet::BufferSource& large) override {
    while (batch.packets.size() < packet::kTunBatchPackets && batch.buffers.size() < packet::kTunBatchBuffers) {
      packet::Buffer buffer = large.acquire();
      if (!buffer) return IoStatus::done;
      const auto got = ::recv(ours_.get(), buffer.data(), buffer.capacity(), 0);
      if (got == 0) return IoStatus::closed;
      if (got < 0) return IoStatus::would_block;
      batch.packets.push_back({buffer.bytes().first(static_cast<std::size_t>(got)), {}});
      batch.buffers.push_back(std::move(buffer));
    }
    return IoStatus::done;
  }
  IoStatus write(const packet::TunWriteBatch& batch, TunCursor& cursor) override {
    for (; cursor.packet < batch.packets.size(); ++cursor.packet) {
      const auto& slice = batch.slices[batch.packets[cursor.packet].first_slice];
      if (::send(ours_.get(), slice.data(), slice.size(), MSG_NOSIGNAL) < 0 && errno == EAGAIN) {
        return IoStatus::would_block;
      }
    }
    return IoStatus::done;
  }
  bool coalescing_allowed() const noexcept override { return coalescing.load(); }
  std::atomic<bool> coalescing{true};
  int poll_fd() const noexcept override { return ours_.get(); }
  const Counters<TunReadCounter>& read_counters() const noexcept override { return read_; }
  const Counters<TunWriteCounter>& write_counters() const noexcept override { return write_; }

 private:
  FileDescriptor ours_;
  FileDescriptor host_;
  Counters<TunReadCounter> read_;
  Counters<TunWriteCounter> write_;
};

// Passes TUN packets to one destination and datagrams to the TUN: a job for each.
class PassOn : public packet::Engine {
 public:
  explicit PassOn(Endpoint destination) : destination_(destination) {}

  struct Passed final : packet::Work {
    packet::TunBatch tun;
    packet::UdpBatch udp;
  };
  std::unique_ptr<packet::Work> make_work() override { return std::make_unique<Passed>(); }
  void plan(Now, packet::TunBatch& batch, packet::Work& work) override {
    auto& tun = static_cast<Passed&>(work).tun;
    std::swap(tun, batch);
    work.kind = packet::Work::Kind::seal;
    for (const auto& packet : tun.packets) add_job(work, packet.bytes);
  }
  void plan(Now, packet::UdpBatch& batch, packet::Work& work) override {
    auto& udp = static_cast<Passed&>(work).udp;
    std::swap(udp, batch);
    work.kind = packet::Work::Kind::open;
    for (const auto& received : udp.datagrams) add_job(work, received.bytes);
  }
  void commit(Now, packet::Work& work, packet::Output& output) override {
    auto& passed = static_cast<Passed&>(work);
    for (const auto& packet : passed.tun.packets) {
      output.udp4.trains.push_back(
          {packet.bytes, static_cast<std::uint16_t>(packet.bytes.size()), packet::Ecn::not_ect, destination_, {}});
    }
    move_buffers(passed.tun.buffers, output.udp4.buffers);
    for (const auto& received : passed.udp.datagrams) {
      for (std::size_t at = 0; at < received.bytes.size(); at += received.segment_bytes) {
        const auto size = std::min<std::size_t>(received.segment_bytes, received.bytes.size() - at);
        output.tun.packets.push_back({static_cast<std::uint32_t>(output.tun.slices.size()), 1, {}, 0});
        output.tun.slices.push_back(received.bytes.subspan(at, size));
      }
    }
    move_buffers(passed.udp.buffers, output.tun.buffers);
    passed.tun.clear();
    passed.udp.clear();
    passed.jobs.clear();
  }
  bool step_handshake(Now, packet::Output&) override { return false; }
  std::optional<Instant> poll_timeout() const override { return std::nullopt; }
  void handle_timeout(Now, packet::Output&) override {}
  void stop_merging() override { merging_stopped = true; }
  std::atomic<bool> merging_stopped{false};

 private:
  static void add_job(packet::Work& work, Bytes bytes) {
    work.jobs.push_back({.data = bytes.data(), .bytes = static_cast<std::uint32_t>(bytes.size())});
  }
  static void move_buffers(std::vector<packet::Buffer>& from, std::vector<packet::Buffer>& to) {
    for (auto& buffer : from) to.push_back(std::move(buffer));
    from.clear();
  }
  Endpoint destination_;
};

// Flips bits of every byte: what passed a work's jobs once differs from what passed none or two.
class FlipCipher final : public crypto::Aead {
 public:
  static constexpr std::uint32_t kFlipped = 0x5A5A'5A5A;  // of a number of four bytes

  void seal(std::span<crypto::AeadJob> jobs) noexcept override { flip(jobs); }
  void open(std::span<crypto::AeadJob> jobs) noexcept override { flip(jobs); }
  crypto::AeadBackend backend() const noexcept override { return crypto::AeadBackend::libsodium; }

  [[nodiscard]] static std::vector<std::unique_ptr<crypto::Aead>> several(std::size_t count) {
    std::vector<std::unique_ptr<crypto::Aead>> ciphers;
    while (ciphers.size() < count) ciphers.push_back(std::make_unique<FlipCipher>());
    return ciphers;
  }

 private:
  static void flip(std::span<crypto::AeadJob> jobs) noexcept {
    for (crypto::AeadJob& job : jobs) {
      for (std::byte& byte : std::span(job.data, job.bytes)) byte ^= std::byte{0x5A};
      job.authentic = true;
    }
  }
};

// A plain socket of the test on loopback.
class TestSocket {
 public:
  TestSocket() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_) != 0) std::abort();
    socklen_t length = sizeof address_;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address_), &length);
    const timeval limit{10, 0};  // a lost packet fails the test instead of hanging it
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  [[nodiscard]] Endpoint endpoint() const {
    Endpoint endpoint = *Endpoint::parse("127.0.0.1:0");
    endpoint.port = ntohs(address_.sin_port);
    return endpoint;
  }
  [[nodiscard]] bool receive_number(std::uint32_t& number) const {
    for (;;) {
      const auto got = ::recv(fd_.get(), &number, sizeof number, 0);
      if (got < 0 && errno == EINTR) continue;  // io/uring.h: a ring of this thread's is going
      return got == sizeof number;
    }
  }
  [[nodiscard]] bool readable() const {
    pollfd fd{fd_.get(), POLLIN, 0};
    return ::poll(&fd, 1, 0) == 1;
  }
  void send_number(std::uint32_t number, std::uint16_t port) const {
    sockaddr_in to = address_;
    to.sin_port = htons(port);
    ::sendto(fd_.get(), &number, sizeof number, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
  }

 private:
  FileDescriptor fd_;
  sockaddr_in address_{};
};

}  // namespace fireline::io
