#include "core/wireguard/replay_window.h"

#include <cstdlib>

namespace fireline::wireguard {

static_assert(kRejectAfterMessages < UINT64_MAX - ReplayWindow::kOlderMax - 1);

ReplayWindow::ReplayWindow(std::size_t older) noexcept : older_(older) {
  if (older > kOlderMax) std::abort();
}

}  // namespace fireline::wireguard
