// Datagrams of the node's own making that wait for the caller's output: STUN, TURN requests, and what a WireGuard peer
// sends because its path changed. Copied, many into one small buffer.
// Lifetime: `small` must outlive it. Threads: one owner.
#pragma once
#include <array>

#include "core/base/endpoint.h"
#include "core/packet/engine.h"

namespace fireline::node {

class Outbox {
 public:
  explicit Outbox(packet::BufferSource& small) noexcept : small_(small) {}

  // `source`: unspecified leaves the choice to the kernel. False: the pool is empty, the caller counts it.
  [[nodiscard]] bool send(ConstBytes datagram, const Endpoint& destination, const IpAddress& source);

  // For a WireGuard device to append to.
  [[nodiscard]] packet::Output& output() noexcept { return waiting_; }
  [[nodiscard]] bool empty() const noexcept { return waiting_.udp4.empty() && waiting_.udp6.empty(); }
  // Appends everything to `output`.
  void flush(packet::Output& output);
  void clear() noexcept;

 private:
  packet::BufferSource& small_;
  packet::Output waiting_;
  // By family, because each batch owns its buffers: the rest of the last one that it was given.
  std::array<Bytes, 2> free_;
};

}  // namespace fireline::node
