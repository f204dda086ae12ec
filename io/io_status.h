// How a non-blocking read or write of a device ended.
#pragma once
#include <cstdint>

namespace fireline::io {

enum class IoStatus : std::uint8_t {
  done,         // reading: the batch is full or no buffer is left, more may wait; writing: everything was handed over
  would_block,  // reading: nothing more waits; writing: the cursor stands at the first thing not yet handed over
  closed,       // the device is gone; no later call will succeed
};

}  // namespace fireline::io
