#include "core/crypto/xaead.h"

#include <cstdlib>

#include "core/crypto/aead_nonce.h"
#include "core/crypto/sodium.h"

namespace fireline::crypto {
namespace {

static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == kTagBytes);
static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == kTagBytes);
static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == kXNonceBytes);

void check_lengths(std::size_t plaintext, std::size_t sealed) noexcept {
  if (sealed < kTagBytes || sealed - kTagBytes != plaintext) std::abort();
}

}  // namespace

void aead_seal(const Key& key, std::uint64_t counter, ConstBytes plaintext, ConstBytes aad, Bytes sealed) noexcept {
  check_lengths(plaintext.size(), sealed.size());
  const AeadNonce nonce = aead_nonce(counter);
  crypto_aead_chacha20poly1305_ietf_encrypt(c_bytes(sealed.data()), nullptr, c_bytes(plaintext.data()),
                                            plaintext.size(), c_bytes(aad.data()), aad.size(), nullptr,
                                            c_bytes(nonce.data()), c_bytes(key.bytes().data()));
}

bool aead_open(const Key& key, std::uint64_t counter, ConstBytes sealed, ConstBytes aad, Bytes plaintext) noexcept {
  check_lengths(plaintext.size(), sealed.size());
  const AeadNonce nonce = aead_nonce(counter);
  return crypto_aead_chacha20poly1305_ietf_decrypt(c_bytes(plaintext.data()), nullptr, nullptr, c_bytes(sealed.data()),
                                                   sealed.size(), c_bytes(aad.data()), aad.size(),
                                                   c_bytes(nonce.data()), c_bytes(key.bytes().data())) == 0;
}

void xaead_seal(const Key& key, const XNonce& nonce, ConstBytes plaintext, ConstBytes aad, Bytes sealed) noexcept {
  check_lengths(plaintext.size(), sealed.size());
  crypto_aead_xchacha20poly1305_ietf_encrypt(c_bytes(sealed.data()), nullptr, c_bytes(plaintext.data()),
                                             plaintext.size(), c_bytes(aad.data()), aad.size(), nullptr,
                                             c_bytes(nonce.data()), c_bytes(key.bytes().data()));
}

bool xaead_open(const Key& key, const XNonce& nonce, ConstBytes sealed, ConstBytes aad, Bytes plaintext) noexcept {
  check_lengths(plaintext.size(), sealed.size());
  return crypto_aead_xchacha20poly1305_ietf_decrypt(c_bytes(plaintext.data()), nullptr, nullptr, c_bytes(sealed.data()),
                                                    sealed.size(), c_bytes(aad.data()), aad.size(),
                                                    c_bytes(nonce.data()), c_bytes(key.bytes().data())) == 0;
}

}  // namespace fireline::crypto
