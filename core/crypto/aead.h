// ChaCha20-Poly1305 (RFC 8439) over batches of jobs, as WireGuard's transport data uses it: the nonce is four zero
// bytes and the counter as 64-bit little-endian, the additional data is empty.
//
// Threads: an Aead belongs to one thread; make one per thread. A job is pure: any thread may run it, in any order.
// Lifetime: a job borrows key and bytes; both must outlive the call.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/crypto/keys.h"

namespace fireline::crypto {

inline constexpr std::size_t kTagBytes = 16;

// One packet to seal or open in place.
// seal: data[0, bytes) is the plaintext; the ciphertext replaces it and the tag goes to data[bytes, bytes + 16).
// open: data[0, bytes) is the ciphertext, the tag at data[bytes, bytes + 16); the plaintext replaces the ciphertext.
//       After a failure `authentic` is false and data is unspecified.
struct AeadJob {
  const Key* key = nullptr;
  std::uint64_t counter = 0;
  std::byte* data = nullptr;
  std::uint32_t bytes = 0;  // 0 for a keepalive; below 2^31, far above any datagram
  bool authentic = false;   // set by open
};

enum class AeadBackend : std::uint8_t { ipsec_mb, openssl, libsodium };
[[nodiscard]] std::string_view name_of(AeadBackend backend) noexcept;

class Aead {
 public:
  virtual ~Aead() = default;
  virtual void seal(std::span<AeadJob> jobs) noexcept = 0;
  virtual void open(std::span<AeadJob> jobs) noexcept = 0;
  [[nodiscard]] virtual AeadBackend backend() const noexcept = 0;
};

// Those that this machine can run, ipsec-mb on x86-64 alone.
[[nodiscard]] std::vector<AeadBackend> available_aead_backends();

// Null when the backend is not available here.
[[nodiscard]] std::unique_ptr<Aead> make_aead(AeadBackend backend);

// The backend that seals and opens a large packet in the least time; `elapsed` returns a monotonic time in nanoseconds
// (core reads no clock). Measures for about a millisecond, after making one Aead of each backend.
[[nodiscard]] AeadBackend fastest_aead_backend(std::uint64_t (*elapsed)());

}  // namespace fireline::crypto
