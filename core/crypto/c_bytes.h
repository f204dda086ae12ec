// The casts between our bytes and those of the C libraries, in one place. Reading bytes as unsigned char is always
// allowed; no larger type is ever read through such a pointer.
#pragma once
#include <cstddef>

namespace fireline::crypto {

[[nodiscard]] inline unsigned char* c_bytes(std::byte* bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes);
}
[[nodiscard]] inline const unsigned char* c_bytes(const std::byte* bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes);
}

}  // namespace fireline::crypto
