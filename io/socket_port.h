// What the backends of UdpPort share: the bound socket, the intake of received messages, the sending half, the loud
// queue, the status.
// Threads as in io/udp_port.h. The object must outlive both threads.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "io/datagram_intake.h"
#include "io/datagram_receiver.h"
#include "io/datagram_sender.h"
#include "io/udp_bind.h"
#include "io/udp_port.h"

namespace fireline::io {

class SocketPort : public UdpPort {
 public:
  [[nodiscard]] IoStatus send(const packet::UdpSendBatch& batch, SendCursor& cursor, Instant now) override {
    return sender_.send(batch, cursor, now);
  }

  [[nodiscard]] int send_fd() const noexcept final { return fd_.get(); }
  [[nodiscard]] std::string_view backend() const noexcept final { return backend_; }
  [[nodiscard]] Family family() const noexcept final { return family_; }
  [[nodiscard]] std::uint16_t port() const noexcept final { return port_; }
  [[nodiscard]] std::optional<IoError> set_fwmark(std::uint32_t mark) noexcept final {
    if (auto error = set_socket_mark(fd_.get(), mark)) return error;
    return loud_fd_ ? set_socket_mark(loud_fd_.get(), mark) : std::nullopt;
  }
  [[nodiscard]] const Counters<UdpReceiveCounter>& receive_counters() const noexcept final { return receive_counters_; }
  [[nodiscard]] const Counters<UdpSendCounter>& send_counters() const noexcept final { return sender_.counters(); }
  [[nodiscard]] UdpStatus status() const final;

  [[nodiscard]] int loud_poll_fd() const noexcept final { return loud_fd_.get(); }
  [[nodiscard]] IoStatus receive_loud(packet::UdpBatch& batch, packet::BufferSource& large) final;
  [[nodiscard]] bool set_loud(std::span<const packet::Sender> loud) noexcept final;

 protected:
  // Borrows `syscalls`. `chain_messages`: how many messages one send_chain() of it carries.
  SocketPort(std::string_view backend, BoundUdp bound, UdpSyscalls& syscalls, std::size_t chain_messages);

  [[nodiscard]] DatagramIntake& intake() noexcept { return intake_; }

 private:
  std::string_view backend_;
  FileDescriptor fd_;
  Family family_;
  std::uint16_t port_;
  bool gro_;
  Counters<UdpReceiveCounter> receive_counters_;  // of both queues
  DatagramIntake intake_;                         // receiving thread
  DatagramSender sender_;                         // sending thread
  FileDescriptor loud_fd_;
  DatagramIntake loud_intake_;
  DatagramReceiver loud_receiver_;  // by plain calls with every backend: what waits there need not be fast
};

}  // namespace fireline::io
