// The AEAD of Intel's multi-buffer library (x86-64): fastest where the CPU has AVX-512.
// Takes about 200 KiB and a quarter of a millisecond to make; the first one of a process also runs the library's
// self-test, which takes 2 to 40 ms.
#pragma once
#include <memory>

#include "core/crypto/aead.h"

namespace fireline::crypto {

// Null where the build left it out or the CPU lacks what it needs.
[[nodiscard]] std::unique_ptr<Aead> make_aead_ipsec_mb();

}  // namespace fireline::crypto
