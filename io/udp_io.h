// Which backend of UdpPort a socket gets, and what `auto` means.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace fireline::io {

enum class UdpIo : std::uint8_t {
  automatic,  // automatic_udp_io()
  io_uring,   // where the kernel allows it, else `syscall`
  syscall,    // plain recvmsg and sendmsg
};
[[nodiscard]] std::string_view name_of(UdpIo io) noexcept;
[[nodiscard]] std::optional<UdpIo> parse_udp_io(std::string_view text) noexcept;

// Never `automatic`. The rule's figure is in docs/performance.md.
[[nodiscard]] UdpIo automatic_udp_io() noexcept;
// The same, or what `automatic` stands for.
[[nodiscard]] UdpIo chosen(UdpIo io) noexcept;

}  // namespace fireline::io
