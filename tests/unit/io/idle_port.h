// A port without a socket that sends nothing, for tests of what reads one: what it gives is the derived class's.
#pragma once
#include <optional>
#include <string_view>

#include "io/udp_port.h"

namespace fireline::io {

class IdlePort : public UdpPort {
 public:
  IoStatus send(const packet::UdpSendBatch&, SendCursor&, Instant) override { return IoStatus::done; }
  int poll_fd() const noexcept override { return -1; }
  int send_fd() const noexcept override { return -1; }
  std::string_view backend() const noexcept override { return "test"; }
  Family family() const noexcept override { return Family::v4; }
  std::uint16_t port() const noexcept override { return 1; }
  std::optional<IoError> set_fwmark(std::uint32_t) noexcept override { return std::nullopt; }
  const Counters<UdpReceiveCounter>& receive_counters() const noexcept override { return counters_; }
  const Counters<UdpSendCounter>& send_counters() const noexcept override { return sent_; }
  UdpStatus status() const override { return {}; }

 protected:
  Counters<UdpReceiveCounter> counters_;

 private:
  Counters<UdpSendCounter> sent_;
};

}  // namespace fireline::io
