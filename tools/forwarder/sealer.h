// What a tunnel's cipher alone adds to the forwarder: the payload of each datagram is sealed in place before it leaves,
// and opened in place behind its arrival, by ChaCha20-Poly1305 as a tunnel has it. The least that any tunnel of this
// cipher can cost: no header, counter, replay window or checksum is looked at. Key and nonce are constants that
// everybody knows: it measures, and protects nothing.
//
// What stays plain are the overhead, whose unused bytes take the tag, and the headers, from which both ends see where
// the payload begins. Lifetime: pieces and buffers are the caller's; 16 bytes behind each piece and behind the buffer
// are written and put back. One thread.
#pragma once
#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>

#include "core/crypto/aead.h"
#include "tools/forwarder/frame.h"

namespace fireline::forwarder {

inline constexpr std::size_t kTagBytes = crypto::kTagBytes;
static_assert(kTagBytes <= kPadBytes);

// Overhead and headers of TCP or UDP with a partial checksum; of others, and where headers contradict the length, all.
[[nodiscard]] std::size_t plain_bytes(ConstBytes datagram) noexcept;

class Sealer {
 public:
  // The fastest backend of this machine.
  Sealer();

  // `count` datagrams in as many pieces, or each in two: overhead with headers, then payload (Train::pieces).
  void seal(std::span<const iovec> pieces, std::size_t count) noexcept;
  // Datagrams of `datagram_bytes` each (the last may be shorter). False: one of them was not sealed by seal(); what the
  // buffer holds then is good for nothing. `buffer` is followed by kTagBytes of the caller's.
  [[nodiscard]] bool open(Bytes buffer, std::size_t datagram_bytes) noexcept;

 private:
  crypto::Key key_;
  std::unique_ptr<crypto::Aead> aead_;
};

}  // namespace fireline::forwarder
