// The bytes of a gather list in one piece. For tests.
#pragma once
#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <vector>

namespace fireline::forwarder {

using Octets = std::vector<std::byte>;

inline Octets gathered(std::span<const iovec> pieces) {
  Octets all;
  for (const iovec& piece : pieces) {
    const auto* bytes = static_cast<const std::byte*>(piece.iov_base);
    all.insert(all.end(), bytes, bytes + piece.iov_len);
  }
  return all;
}

}  // namespace fireline::forwarder
