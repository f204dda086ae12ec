// One direction of traffic inside a tunnel: numbered IPv4 packets whose every byte follows from flow and number, and
// the account of which arrived. It finds what was changed, repeated, delivered to somebody else, or overtook another
// one.
//
// Order: each datagram that leaves a node gets a number (train.h). A packet with a higher number in the flow must have
// left in a datagram with a higher number than every packet before it, whatever path each took and however the network
// delayed them.
// Lifetime: a value. Threads: one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/base/wire.h"

namespace fireline::sim {

inline constexpr std::size_t kInnerBytesMin = 20 + 8 + 12;

// What a delivered packet says about itself.
struct InnerPacket {
  std::uint32_t flow = 0;
  std::uint64_t number = 0;
  std::size_t bytes = 0;

  // Empty: none of ours.
  [[nodiscard]] static std::optional<InnerPacket> parse(ConstBytes packet);
};

class InnerFlow {
 public:
  InnerFlow(std::uint32_t id, const IpAddress& source, const IpAddress& destination)
      : id_(id), source_(source), destination_(destination) {}

  // The next packet, of that length.
  [[nodiscard]] std::vector<std::byte> make(Instant now, std::size_t bytes);

  // A packet of this flow came out of the right tunnel; `datagram` is the number under which it left its sender, 0 when
  // that is not known.
  // Empty when all is well, else what is wrong.
  [[nodiscard]] std::optional<std::string> accept(Instant now, const InnerPacket& packet, ConstBytes bytes,
                                                  std::uint64_t datagram);

  [[nodiscard]] std::uint64_t sent() const noexcept { return next_; }
  [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
  [[nodiscard]] bool arrived(std::uint64_t number) const;
  [[nodiscard]] std::optional<Instant> last_delivery() const noexcept { return last_delivery_; }
  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }

 private:
  [[nodiscard]] std::vector<std::byte> bytes_of(std::uint64_t number, std::size_t bytes) const;

  std::uint32_t id_;
  IpAddress source_;
  IpAddress destination_;
  std::uint64_t next_ = 0;
  std::uint64_t delivered_ = 0;
  std::vector<bool> arrived_;
  std::map<std::uint64_t, std::uint64_t> order_;  // datagram → packet in it, the latest ones
  std::optional<Instant> last_delivery_;
};

}  // namespace fireline::sim
