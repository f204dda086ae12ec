#include "core/crypto/blake2s.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

#include "core/crypto/secret.h"

namespace fireline::crypto {
namespace {

// RFC 7693 section 2.6: the initial state is that of SHA-256.
constexpr std::array<std::uint32_t, 8> kInitial = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

// RFC 7693 section 2.7: the order in which each round takes the message's words.
constexpr std::size_t kRounds = 10;
constexpr std::uint8_t kSigma[kRounds][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

using Words = std::array<std::uint32_t, 16>;

// RFC 7693 section 3.1.
template <std::size_t kA, std::size_t kB, std::size_t kC, std::size_t kD>
inline void mix(Words& v, std::uint32_t x, std::uint32_t y) noexcept {
  v[kA] += v[kB] + x;
  v[kD] = std::rotr(v[kD] ^ v[kA], 16);
  v[kC] += v[kD];
  v[kB] = std::rotr(v[kB] ^ v[kC], 12);
  v[kA] += v[kB] + y;
  v[kD] = std::rotr(v[kD] ^ v[kA], 8);
  v[kC] += v[kD];
  v[kB] = std::rotr(v[kB] ^ v[kC], 7);
}

// A template per round, so that every message index is a constant and all words stay in registers.
template <std::size_t kRound>
inline void round(Words& v, const Words& m) noexcept {
  constexpr auto& s = kSigma[kRound];
  mix<0, 4, 8, 12>(v, m[s[0]], m[s[1]]);
  mix<1, 5, 9, 13>(v, m[s[2]], m[s[3]]);
  mix<2, 6, 10, 14>(v, m[s[4]], m[s[5]]);
  mix<3, 7, 11, 15>(v, m[s[6]], m[s[7]]);
  mix<0, 5, 10, 15>(v, m[s[8]], m[s[9]]);
  mix<1, 6, 11, 12>(v, m[s[10]], m[s[11]]);
  mix<2, 7, 8, 13>(v, m[s[12]], m[s[13]]);
  mix<3, 4, 9, 14>(v, m[s[14]], m[s[15]]);
}

}  // namespace

Blake2s::Blake2s(std::size_t hash_bytes, ConstBytes key) noexcept : state_(kInitial), hash_bytes_(hash_bytes) {
  if (hash_bytes == 0 || hash_bytes > kHashBytes || key.size() > kKeyBytes) std::abort();
  // RFC 7693 section 2.5: the parameter block of a sequential hash.
  state_[0] ^= 0x01010000U ^ (static_cast<std::uint32_t>(key.size()) << 8) ^ static_cast<std::uint32_t>(hash_bytes);
  if (!key.empty()) {
    block_.fill(std::byte{0});
    std::ranges::copy(key, block_.begin());
    buffered_ = kBlockBytes;
  }
}

Blake2s::~Blake2s() {
  wipe(std::as_writable_bytes(std::span(state_)));
  wipe(block_);
}

void Blake2s::update(ConstBytes input) noexcept {
  if (input.empty()) return;
  if (const std::size_t room = kBlockBytes - buffered_; input.size() <= room) {
    std::ranges::copy(input, block_.begin() + static_cast<std::ptrdiff_t>(buffered_));
    buffered_ += input.size();
    return;
  } else if (buffered_ > 0) {
    std::ranges::copy(input.first(room), block_.begin() + static_cast<std::ptrdiff_t>(buffered_));
    input = input.subspan(room);
    hashed_ += kBlockBytes;
    compress(block_, false);
  }
  while (input.size() > kBlockBytes) {
    hashed_ += kBlockBytes;
    compress(input.first<kBlockBytes>(), false);
    input = input.subspan(kBlockBytes);
  }
  std::ranges::copy(input, block_.begin());
  buffered_ = input.size();
}

void Blake2s::finish(Bytes out) noexcept {
  if (out.size() < hash_bytes_) std::abort();
  std::ranges::fill(std::span(block_).subspan(buffered_), std::byte{0});
  hashed_ += buffered_;
  compress(block_, true);
  std::array<std::byte, kHashBytes> digest;
  for (std::size_t i = 0; i < state_.size(); ++i) store_le32(digest, 4 * i, state_[i]);
  std::ranges::copy(std::span(digest).first(hash_bytes_), out.begin());
}

// RFC 7693 section 3.2.
void Blake2s::compress(std::span<const std::byte, kBlockBytes> block, bool last) noexcept {
  Words m;
  for (std::size_t i = 0; i < m.size(); ++i) m[i] = load_le32(block, 4 * i);
  Words v;
  std::ranges::copy(state_, v.begin());
  std::ranges::copy(kInitial, v.begin() + 8);
  v[12] ^= static_cast<std::uint32_t>(hashed_);
  v[13] ^= static_cast<std::uint32_t>(hashed_ >> 32);
  if (last) v[14] = ~v[14];
  [&]<std::size_t... kRound>(std::index_sequence<kRound...>) {
    (round<kRound>(v, m), ...);
  }(std::make_index_sequence<kRounds>{});
  for (std::size_t i = 0; i < state_.size(); ++i) state_[i] ^= v[i] ^ v[i + 8];
}

namespace blake2s_detail {

Hash hash(std::span<const ConstBytes> inputs) noexcept {
  Blake2s blake;
  for (const ConstBytes input : inputs) blake.update(input);
  Hash result;
  blake.finish(result);
  return result;
}

Mac mac16(ConstBytes key, std::span<const ConstBytes> inputs) noexcept {
  if (key.empty()) std::abort();  // would be an unkeyed hash that anyone can compute
  Blake2s blake(kMacBytes, key);
  for (const ConstBytes input : inputs) blake.update(input);
  Mac result;
  blake.finish(result);
  return result;
}

Key hmac(ConstBytes key, std::span<const ConstBytes> inputs) noexcept {
  std::array<std::byte, Blake2s::kBlockBytes> pad{};
  if (key.size() > pad.size()) {
    Blake2s blake;
    blake.update(key);
    blake.finish(pad);
  } else {
    std::ranges::copy(key, pad.begin());
  }
  Key result;
  for (std::byte& byte : pad) byte ^= std::byte{0x36};
  {
    Blake2s inner;
    inner.update(pad);
    for (const ConstBytes input : inputs) inner.update(input);
    inner.finish(result.mutable_bytes());
  }
  for (std::byte& byte : pad) byte ^= std::byte{0x36} ^ std::byte{0x5c};
  Blake2s outer;
  outer.update(pad);
  outer.update(result.bytes());
  outer.finish(result.mutable_bytes());
  wipe(pad);
  return result;
}

}  // namespace blake2s_detail

namespace {

// t1 = HMAC(t0, 0x01); t(i) = HMAC(t0, t(i-1) ‖ i), with t0 = HMAC(key, input).
template <std::size_t kCount>
void derive(std::array<Key, kCount>& keys, const Key& key, ConstBytes input) noexcept {
  const Key t0 = hmac(key.bytes(), input);
  ConstBytes previous;
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::array<std::byte, 1> number = {static_cast<std::byte>(i + 1)};
    keys[i] = hmac(t0.bytes(), previous, number);
    previous = keys[i].bytes();
  }
}

}  // namespace

Key kdf1(const Key& key, ConstBytes input) noexcept {
  std::array<Key, 1> keys;
  derive(keys, key, input);
  return std::move(keys[0]);
}

std::array<Key, 2> kdf2(const Key& key, ConstBytes input) noexcept {
  std::array<Key, 2> keys;
  derive(keys, key, input);
  return keys;
}

std::array<Key, 3> kdf3(const Key& key, ConstBytes input) noexcept {
  std::array<Key, 3> keys;
  derive(keys, key, input);
  return keys;
}

}  // namespace fireline::crypto
