#include "tools/tunnel/devices.h"

#include <chrono>
#include <utility>

namespace fireline::tunnel {
namespace {

std::uint64_t elapsed_nanoseconds() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

}  // namespace

Result<std::unique_ptr<Devices>, std::string> Devices::open(const TunnelOptions& options) {
  auto tun = io::TunDevice::open(options.tun, {.mtu = options.mtu});
  if (!tun) return err(tun.error().to_string());
  auto devices = std::make_unique<Devices>();
  devices->tun = std::move(*tun);
  devices->aead = crypto::make_aead(crypto::fastest_aead_backend(elapsed_nanoseconds));
  return devices;
}

packet::CoalescerOptions Devices::merging() const noexcept {
  const auto& capabilities = tun->capabilities();
  return {.tcp4 = capabilities.tso, .tcp6 = capabilities.tso, .udp = capabilities.uso};
}

}  // namespace fireline::tunnel
