#include "tools/forwarder/sealer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

namespace fireline::forwarder {
namespace {

constexpr std::uint64_t kCounter = 1;
constexpr std::size_t kDataOffsetByte = 12;  // in a TCP header
constexpr std::size_t kTcpChecksum = 16;

std::uint64_t elapsed_nanoseconds() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

// The AEAD's tag stands behind the bytes; what stands there otherwise is kept meanwhile.
class TagPlace {
 public:
  explicit TagPlace(std::byte* place) noexcept : place_(place) { std::memcpy(kept_.data(), place_, kTagBytes); }
  ~TagPlace() { std::memcpy(place_, kept_.data(), kTagBytes); }
  TagPlace(const TagPlace&) = delete;
  TagPlace& operator=(const TagPlace&) = delete;

 private:
  std::byte* place_;
  std::array<std::byte, kTagBytes> kept_;
};

}  // namespace

std::size_t plain_bytes(ConstBytes datagram) noexcept {
  if (datagram.size() <= kOverheadBytes) return datagram.size();
  const Vnet vnet = Vnet::load(datagram.subspan(kPadBytes));
  if ((vnet.flags & kVnetNeedsChecksum) == 0) return datagram.size();
  const std::size_t transport = kOverheadBytes + vnet.checksum_start;
  if (vnet.checksum_offset != kTcpChecksum) return std::min(transport + kUdpHeaderBytes, datagram.size());
  if (transport + kTcpHeaderBytesMin > datagram.size()) return datagram.size();
  return std::min(transport + load_u8(datagram, transport + kDataOffsetByte) / 16u * std::size_t{4}, datagram.size());
}

Sealer::Sealer() : aead_(crypto::make_aead(crypto::fastest_aead_backend(elapsed_nanoseconds))) {}

void Sealer::seal(std::span<const iovec> pieces, std::size_t count) noexcept {
  const std::size_t each = pieces.size() / count;
  for (std::size_t i = 0; i < pieces.size(); i += each) {
    const Bytes first(static_cast<std::byte*>(pieces[i].iov_base), pieces[i].iov_len);
    const iovec& last = pieces[i + each - 1];
    Bytes payload(static_cast<std::byte*>(last.iov_base), last.iov_len);
    if (each == 1) payload = payload.subspan(plain_bytes(payload));
    const TagPlace place(payload.data() + payload.size());
    crypto::AeadJob job{&key_, kCounter, payload.data(), static_cast<std::uint32_t>(payload.size()), false};
    aead_->seal(std::span(&job, 1));
    std::memcpy(first.data(), payload.data() + payload.size(), kTagBytes);
  }
}

bool Sealer::open(Bytes buffer, std::size_t datagram_bytes) noexcept {
  while (!buffer.empty()) {
    const Bytes datagram = buffer.first(std::min(datagram_bytes, buffer.size()));
    if (datagram.size() <= kOverheadBytes) return false;
    const Bytes payload = datagram.subspan(plain_bytes(datagram));
    const TagPlace place(payload.data() + payload.size());
    std::memcpy(payload.data() + payload.size(), datagram.data(), kTagBytes);
    crypto::AeadJob job{&key_, kCounter, payload.data(), static_cast<std::uint32_t>(payload.size()), false};
    aead_->open(std::span(&job, 1));
    if (!job.authentic) return false;
    buffer = buffer.subspan(datagram.size());
  }
  return true;
}

}  // namespace fireline::forwarder
