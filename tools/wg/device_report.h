// Gathers what fireline-wg tells about its device (status.h) from engine, threads, sockets and TUN.
// Threads: the control thread's; counters of other threads are read as they are.
#pragma once
#include <map>
#include <string>

#include "core/wireguard/device.h"
#include "io/data_plane.h"
#include "io/tun_device.h"
#include "tools/wg/status.h"
#include "tools/wg/uapi.h"

namespace fireline::wg {

// What sockets counted that were replaced since: a re-bind must not lose packets from the ledger.
class RetiredSockets {
 public:
  void add(const io::UdpPort& port);
  [[nodiscard]] std::uint64_t get(std::string_view name) const;
  [[nodiscard]] std::uint64_t kernel_drops() const noexcept { return kernel_drops_; }
  [[nodiscard]] std::uint64_t loud_drops() const noexcept { return loud_drops_; }

 private:
  std::map<std::string, std::uint64_t, std::less<>> counts_;
  std::uint64_t kernel_drops_ = 0;
  std::uint64_t loud_drops_ = 0;
};

struct ReportSources {
  InterfaceStatus status;
  wireguard::DeviceGauges gauges;
  const wireguard::Device& device;
  io::DataPlane& plane;
  const io::TunDevice& tun;
  const crypto::Aead& aead;
  const RetiredSockets& retired_sockets;
  Now now;
  Instant started;
  bool up = false;
  std::uint16_t mtu = 0;
};

[[nodiscard]] StatusReport make_report(const ReportSources& sources);

}  // namespace fireline::wg
