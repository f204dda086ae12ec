#include "core/crypto/aead_libsodium.h"

#include "core/crypto/aead_nonce.h"
#include "core/crypto/sodium.h"

namespace fireline::crypto {
namespace {

static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == kTagBytes);
static_assert(crypto_aead_chacha20poly1305_ietf_NPUBBYTES == std::tuple_size_v<AeadNonce>);

class LibsodiumAead final : public Aead {
 public:
  void seal(std::span<AeadJob> jobs) noexcept override {
    for (const AeadJob& job : jobs) {
      const AeadNonce nonce = aead_nonce(job.counter);
      crypto_aead_chacha20poly1305_ietf_encrypt_detached(c_bytes(job.data), c_bytes(job.data + job.bytes), nullptr,
                                                         c_bytes(job.data), job.bytes, nullptr, 0, nullptr,
                                                         c_bytes(nonce.data()), c_bytes(job.key->bytes().data()));
    }
  }

  void open(std::span<AeadJob> jobs) noexcept override {
    for (AeadJob& job : jobs) {
      const AeadNonce nonce = aead_nonce(job.counter);
      job.authentic = crypto_aead_chacha20poly1305_ietf_decrypt_detached(
                          c_bytes(job.data), nullptr, c_bytes(job.data), job.bytes, c_bytes(job.data + job.bytes),
                          nullptr, 0, c_bytes(nonce.data()), c_bytes(job.key->bytes().data())) == 0;
    }
  }

  [[nodiscard]] AeadBackend backend() const noexcept override { return AeadBackend::libsodium; }
};

}  // namespace

std::unique_ptr<Aead> make_aead_libsodium() {
  return std::make_unique<LibsodiumAead>();
}

}  // namespace fireline::crypto
