#include "core/crypto/xaead.h"

#include <cstdlib>

#include "core/crypto/sodium.h"

namespace fireline::crypto {
namespace {

static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == kTagBytes);
static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == kTagBytes);
static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == kXNonceBytes);

using Nonce = std::array<std::byte, crypto_aead_chacha20poly1305_ietf_NPUBBYTES>;

Nonce nonce_of(std::uint64_t counter) noexcept {
  Nonce nonce{};
  store_le64(nonce, 4, counter);
  return nonce;
}

void check_lengths(std::size_t plaintext, std::size_t sealed) noexcept {
  if (sealed < kTagBytes || sealed - kTagBytes != plaintext) std::abort();
}

}  // namespace

void aead_seal(const Key& key, std::uint64_t counter, ConstBytes plaintext, ConstBytes aad, Bytes sealed) noexcept {
  check_lengths(plaintext.size(), sealed.size());
  const Nonce nonce = nonce_of(counter);
  crypto_aead_chacha20poly1305_ietf_encrypt(sodium_bytes(sealed.data()), nullptr, sodium_bytes(plaintext.data()),
                                            plaintext.size(), sodium_bytes(aad.data()), aad.size(), nullptr,
                                            sodium_bytes(nonce.data()), sodium_bytes(key.bytes().data()));
}

bool aead_open(const Key& key, std::uint64_t counter, ConstBytes sealed, ConstBytes aad, Bytes plaintext) noexcept {
  check_lengths(plaintext.size(), sealed.size());
  const Nonce nonce = nonce_of(counter);
  return crypto_aead_chacha20poly1305_ietf_decrypt(
             sodium_bytes(plaintext.data()), nullptr, nullptr, sodium_bytes(sealed.data()), sealed.size(),
             sodium_bytes(aad.data()), aad.size(), sodium_bytes(nonce.data()), sodium_bytes(key.bytes().data())) == 0;
}

void xaead_seal(const Key& key, const XNonce& nonce, ConstBytes plaintext, ConstBytes aad, Bytes sealed) noexcept {
  check_lengths(plaintext.size(), sealed.size());
  crypto_aead_xchacha20poly1305_ietf_encrypt(sodium_bytes(sealed.data()), nullptr, sodium_bytes(plaintext.data()),
                                             plaintext.size(), sodium_bytes(aad.data()), aad.size(), nullptr,
                                             sodium_bytes(nonce.data()), sodium_bytes(key.bytes().data()));
}

bool xaead_open(const Key& key, const XNonce& nonce, ConstBytes sealed, ConstBytes aad, Bytes plaintext) noexcept {
  check_lengths(plaintext.size(), sealed.size());
  return crypto_aead_xchacha20poly1305_ietf_decrypt(
             sodium_bytes(plaintext.data()), nullptr, nullptr, sodium_bytes(sealed.data()), sealed.size(),
             sodium_bytes(aad.data()), aad.size(), sodium_bytes(nonce.data()), sodium_bytes(key.bytes().data())) == 0;
}

}  // namespace fireline::crypto
