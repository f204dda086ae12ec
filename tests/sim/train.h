// Datagrams on the simulated wire: one GSO send, or what GRO made of it. Each datagram carries the number under which
// its first sender let it go; NATs, links and relays keep it.
// Lifetime: values. Threads: any.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/base/wire.h"
#include "core/packet/batch.h"

namespace fireline::sim {

inline constexpr std::size_t kNoHost = SIZE_MAX;

struct Train {
  std::vector<std::byte> bytes;
  std::uint16_t segment_bytes = 0;  // > 0; the last datagram may be shorter
  packet::Ecn ecn = packet::Ecn::not_ect;
  Endpoint source;
  Endpoint destination;
  std::vector<std::uint64_t> numbers;  // one per datagram

  // Who sent it, to where and when, before any NAT: for "port unreachable", and for judging the sender.
  std::size_t origin = kNoHost;
  Endpoint origin_destination;
  Instant sent{};

  [[nodiscard]] std::size_t count() const noexcept { return numbers.size(); }
  [[nodiscard]] ConstBytes datagram(std::size_t index) const noexcept {
    const std::size_t first = index * segment_bytes;
    return ConstBytes(bytes).subspan(first, std::min<std::size_t>(segment_bytes, bytes.size() - first));
  }
  // Whether a datagram of that length can follow.
  [[nodiscard]] bool takes(std::size_t length) const noexcept {
    return !bytes.empty() && bytes.size() % segment_bytes == 0 && length <= segment_bytes &&
           count() < packet::kTrainSegments && bytes.size() + length <= packet::kTrainBytesV6;
  }
  void append(ConstBytes datagram, std::uint64_t number) {
    if (bytes.empty()) segment_bytes = static_cast<std::uint16_t>(datagram.size());
    bytes.insert(bytes.end(), datagram.begin(), datagram.end());
    numbers.push_back(number);
  }
  // The same addresses, no datagrams.
  [[nodiscard]] Train envelope() const {
    Train train;
    train.ecn = ecn;
    train.source = source;
    train.destination = destination;
    train.origin = origin;
    train.origin_destination = origin_destination;
    train.sent = sent;
    return train;
  }
};

}  // namespace fireline::sim
