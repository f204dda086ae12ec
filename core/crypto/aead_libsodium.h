// The AEAD of libsodium: runs everywhere.
#pragma once
#include <memory>

#include "core/crypto/aead.h"

namespace fireline::crypto {

// Never null.
[[nodiscard]] std::unique_ptr<Aead> make_aead_libsodium();

}  // namespace fireline::crypto
