// A descriptor that a test makes readable.
#pragma once
#include <sys/eventfd.h>

#include "io/file_descriptor.h"

namespace fireline::io {

// Readable while its count, at first `value`, is not 0.
[[nodiscard]] inline FileDescriptor make_eventfd(unsigned value) {
  return FileDescriptor(::eventfd(value, EFD_NONBLOCK | EFD_CLOEXEC));
}

}  // namespace fireline::io
