// The ancillary data of UDP sends and receives (cmsg(3), udp(7), ip(7), ipv6(7)): segment size, ECN bits, local
// address, the kernel's drop count. Shared by all UDP backends. No state; any thread.
#pragma once
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/endpoint.h"
#include "core/packet/batch.h"

namespace fireline::io {

// Segment size 24 + local address 40 + traffic class 24 when sending; the drop count's 24 more when receiving; rounded
// up, because a kernel may add what we did not ask for before what we did.
inline constexpr std::size_t kControlBytes = 256;

struct alignas(cmsghdr) ControlBuffer {
  std::array<std::byte, kControlBytes> bytes;  // not cleared: only what a message's length covers is read
};

struct SendControl {
  std::uint16_t segment_bytes = 0;              // 0: one datagram, no UDP_SEGMENT
  packet::Ecn ecn = packet::Ecn::not_ect;       // not_ect sends no message: the socket's own default is zero
  const packet::LocalAddress* local = nullptr;  // null: the kernel chooses
};

// Points `message` to the control messages, written into `buffer`; to none when none is needed.
void write_send_control(msghdr& message, ControlBuffer& buffer, Family family, const SendControl& control) noexcept;

struct ReceiveControl {
  std::optional<int> segment_bytes;  // of a GRO train; as the kernel gave it, unchecked
  packet::Ecn ecn = packet::Ecn::not_ect;
  packet::LocalAddress local;
  std::optional<std::uint32_t> kernel_drops;  // cumulative since the socket exists
};

[[nodiscard]] ReceiveControl read_receive_control(const msghdr& message) noexcept;

}  // namespace fireline::io
