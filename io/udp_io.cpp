#include "io/udp_io.h"

namespace fireline::io {

std::string_view name_of(UdpIo io) noexcept {
  switch (io) {
    case UdpIo::automatic:
      return "auto";
    case UdpIo::io_uring:
      return "io_uring";
    case UdpIo::syscall:
      return "syscall";
  }
  return "";
}

std::optional<UdpIo> parse_udp_io(std::string_view text) noexcept {
  for (const UdpIo io : {UdpIo::automatic, UdpIo::io_uring, UdpIo::syscall}) {
    if (text == name_of(io)) return io;
  }
  return std::nullopt;
}

UdpIo automatic_udp_io() noexcept {
  return UdpIo::syscall;
}

UdpIo chosen(UdpIo io) noexcept {
  return io == UdpIo::automatic ? automatic_udp_io() : io;
}

}  // namespace fireline::io
