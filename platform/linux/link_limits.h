// Limits of a network interface that the kernel's senders keep to. By rtnetlink over libmnl; Linux 2.6.35 and newer.
// Threads: any; each call is a socket of its own.
#pragma once
#include <cstdint>
#include <optional>

#include "platform/linux/link_monitor.h"

namespace fireline::platform {

// At most `segments` per super-packet (IFLA_GSO_MAX_SEGS) for what is sent into the interface. Local senders keep to
// it when they build a super-packet; a forwarded one with more segments is cut into single packets by the kernel, which
// is dear. Waits for the kernel's answer alone. Errors: EPERM, ENODEV, EINVAL above the driver's own maximum.
[[nodiscard]] std::optional<LinkError> set_gso_segments_max(std::uint32_t index, std::uint32_t segments);

// Whether this network namespace forwards packets between interfaces, in either family.
[[nodiscard]] bool forwards_packets();

}  // namespace fireline::platform
