#include "core/crypto/aead_openssl.h"

#include <openssl/evp.h>

#include <cstdlib>
#include <utility>

#include "core/crypto/aead_nonce.h"
#include "core/crypto/c_bytes.h"

namespace fireline::crypto {
namespace {

struct CipherDeleter {
  void operator()(EVP_CIPHER* cipher) const noexcept { EVP_CIPHER_free(cipher); }
};
using Cipher = std::unique_ptr<EVP_CIPHER, CipherDeleter>;

struct ContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }  // wipes its key
};

// A context for one direction that keeps its key while the bytes of the key stay the same: setting a key costs about
// as much as sealing a small packet. The bytes count and not the address, which another key may have taken.
class Context {
 public:
  Context(const EVP_CIPHER* cipher, bool encrypt) : context_(EVP_CIPHER_CTX_new()) {
    if (context_ == nullptr || EVP_CipherInit_ex2(context_.get(), cipher, c_bytes(key_.bytes().data()), nullptr,
                                                  encrypt ? 1 : 0, nullptr) != 1)
      context_.reset();
  }

  [[nodiscard]] bool valid() const noexcept { return context_ != nullptr; }
  [[nodiscard]] EVP_CIPHER_CTX* get() const noexcept { return context_.get(); }

  [[nodiscard]] bool start(const Key& key, std::uint64_t counter) noexcept {
    const AeadNonce nonce = aead_nonce(counter);
    const bool same_key = key == key_;
    if (!same_key) key_ = key;
    return EVP_CipherInit_ex2(context_.get(), nullptr, same_key ? nullptr : c_bytes(key_.bytes().data()),
                              c_bytes(nonce.data()), -1, nullptr) == 1;
  }

 private:
  std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter> context_;
  Key key_;
};

class OpensslAead final : public Aead {
 public:
  explicit OpensslAead(Cipher cipher)
      : cipher_(std::move(cipher)), sealing_(cipher_.get(), true), opening_(cipher_.get(), false) {}

  [[nodiscard]] bool valid() const noexcept { return sealing_.valid() && opening_.valid(); }

  void seal(std::span<AeadJob> jobs) noexcept override {
    for (const AeadJob& job : jobs) {
      // After set-up nothing of this can fail but for a broken library; going on would send plaintext.
      if (!seal_one(job)) std::abort();
    }
  }

  void open(std::span<AeadJob> jobs) noexcept override {
    for (AeadJob& job : jobs) job.authentic = open_one(job);
  }

  [[nodiscard]] AeadBackend backend() const noexcept override { return AeadBackend::openssl; }

 private:
  [[nodiscard]] bool seal_one(const AeadJob& job) noexcept {
    EVP_CIPHER_CTX* context = sealing_.get();
    unsigned char* data = c_bytes(job.data);
    const int bytes = static_cast<int>(job.bytes);
    int written = 0;
    int rest = 0;
    return sealing_.start(*job.key, job.counter) &&
           (bytes == 0 || EVP_EncryptUpdate(context, data, &written, data, bytes) == 1) &&
           EVP_EncryptFinal_ex(context, data + written, &rest) == 1 && written + rest == bytes &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, data + bytes) == 1;
  }

  [[nodiscard]] bool open_one(const AeadJob& job) noexcept {
    EVP_CIPHER_CTX* context = opening_.get();
    unsigned char* data = c_bytes(job.data);
    const int bytes = static_cast<int>(job.bytes);
    int written = 0;
    int rest = 0;
    return opening_.start(*job.key, job.counter) &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, data + bytes) == 1 &&
           (bytes == 0 || EVP_DecryptUpdate(context, data, &written, data, bytes) == 1) &&
           EVP_DecryptFinal_ex(context, data + written, &rest) == 1;
  }

  Cipher cipher_;
  Context sealing_;
  Context opening_;
};

}  // namespace

std::unique_ptr<Aead> make_aead_openssl() {
  Cipher cipher(EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr));
  if (cipher == nullptr) return nullptr;  // a library restricted to other algorithms
  auto aead = std::make_unique<OpensslAead>(std::move(cipher));
  if (!aead->valid()) return nullptr;
  return aead;
}

}  // namespace fireline::crypto
