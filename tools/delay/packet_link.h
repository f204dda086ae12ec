// One end of a wire: a packet socket on an interface that has no addresses (packet(7), PACKET_VNET_HDR). Frames come
// and go with their virtio-net header, so GSO trains stay whole and unfinished checksums stay unfinished. Threads: one
// owner. Works in the calling thread's network namespace.
#pragma once
#include <optional>
#include <string>

#include "core/base/result.h"
#include "io/file_descriptor.h"
#include "io/io_error.h"
#include "tools/delay/delay_line.h"

namespace fireline::lab {

class PacketLink {
 public:
  // Takes every frame that arrives, whoever it is for. Errors name the interface.
  [[nodiscard]] static Result<PacketLink, io::IoError> open(const std::string& interface);

  // Empty: none is there.
  [[nodiscard]] std::optional<Frame> receive();
  // False: no room, try again when the socket is writable. A frame that the interface refuses counts as sent: its far
  // end is gone.
  [[nodiscard]] bool send(const Frame& frame);

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  // Frames that the kernel had no room for, since the last call.
  [[nodiscard]] std::uint64_t kernel_drops() const;

 private:
  explicit PacketLink(io::FileDescriptor socket) noexcept : socket_(std::move(socket)) {}
  io::FileDescriptor socket_;
};

}  // namespace fireline::lab
