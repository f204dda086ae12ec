// What an outbox needs of a device: write as much of a batch as it takes without blocking.
#pragma once
#include <cstdint>

#include "core/base/time.h"

namespace fireline::io {

enum class WriteStatus : std::uint8_t {
  done,     // everything was written or counted as a named drop
  blocked,  // the cursor stands at the first unwritten datagram or packet; poll write_fd() for POLLOUT
  retry,    // the same, but the kernel signals nothing when there is room again (ENOBUFS): try again soon
};

template <class Batch, class Cursor>
class DeviceWriter {
 public:
  virtual ~DeviceWriter() = default;
  [[nodiscard]] virtual WriteStatus write(const Batch& batch, Cursor& cursor, Now now) noexcept = 0;
  [[nodiscard]] virtual int write_fd() const noexcept = 0;
};

}  // namespace fireline::io
