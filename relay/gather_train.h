// Datagrams of one flow that leave in one GSO send, gathered from where they were received: client to peer the channel
// header is left out, peer to client one is put in, and no payload is copied. All datagrams are equally long on the
// wire but the last, which may be shorter (udp(7), UDP_SEGMENT).
//
// Use: append() until it says no; send segments(); clear(). The payload must stay where it is until then.
// Lifetime: about 2 KiB, made once. No allocation. Threads: one.
#pragma once
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/endpoint.h"
#include "core/base/wire.h"
#include "core/packet/batch.h"
#include "relay/protocol/server.h"

namespace fireline::relay {

class RelaySocket;

// Where a datagram goes.
struct Route {
  RelaySocket* socket = nullptr;  // it leaves from this one
  Endpoint to;
  std::uint16_t channel = 0;  // 0: without channel header
  packet::Ecn ecn = packet::Ecn::not_ect;
  friend bool operator==(const Route&, const Route&) noexcept = default;
};

// A train as the sender sees it: `count` datagrams of `segment_bytes`, the last of `last_bytes`.
struct TrainView {
  Endpoint to;
  packet::Ecn ecn = packet::Ecn::not_ect;
  std::size_t segment_bytes = 0;
  std::size_t last_bytes = 0;
  std::size_t count = 0;
  std::span<const iovec> pieces;       // in order
  std::size_t pieces_per_segment = 1;  // 0: one piece holds all

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_of(0, count); }
  [[nodiscard]] std::size_t bytes_of(std::size_t first, std::size_t segments) const noexcept {
    if (segments == 0) return 0;
    return first + segments == count ? (segments - 1) * segment_bytes + last_bytes : segments * segment_bytes;
  }
};

class GatherTrain {
 public:
  // False: this datagram cannot join; send and clear() first. An empty train takes any datagram.
  [[nodiscard]] bool append(const Route& route, ConstBytes payload) noexcept;
  void clear() noexcept { count_ = 0; }

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] const Route& route() const noexcept { return route_; }
  [[nodiscard]] TrainView view() const noexcept;

 private:
  [[nodiscard]] bool joins(const Route& route, std::size_t wire_bytes) const noexcept;

  using Header = std::array<std::byte, kChannelHeaderBytes>;

  Route route_;
  std::size_t count_ = 0;
  std::size_t segment_bytes_ = 0;
  std::size_t last_bytes_ = 0;
  // All full segments have the same header; the shorter last one has its own.
  Header header_{};
  Header last_header_{};
  std::array<iovec, 2 * packet::kTrainSegments> pieces_{};
};

}  // namespace fireline::relay
