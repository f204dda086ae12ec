// The AEAD of OpenSSL 3: fastest where ipsec-mb is missing and the CPU has AVX2.
#pragma once
#include <memory>

#include "core/crypto/aead.h"

namespace fireline::crypto {

// Null where the library's configuration forbids the cipher.
[[nodiscard]] std::unique_ptr<Aead> make_aead_openssl();

}  // namespace fireline::crypto
