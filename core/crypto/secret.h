// What every handler of secrets needs: erase that the compiler may not drop, and comparison whose time does not
// depend on the bytes. Threads: any.
#pragma once
#include "core/base/wire.h"

namespace fireline::crypto {

void wipe(Bytes bytes) noexcept;

// False for different lengths: lengths are no secret.
[[nodiscard]] bool equal_constant_time(ConstBytes a, ConstBytes b) noexcept;

}  // namespace fireline::crypto
