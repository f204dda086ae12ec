// Which paths of one socket refuse UDP GSO (EIO: the egress device or an IPsec policy cannot take it; EINVAL: older
// kernels and some drivers). One peer's route must not slow thousands, so a refusal is remembered per path, and only
// when kGsoRefusingPaths of them refuse at once does the whole socket send singly. Everything is forgotten after
// kGsoRefusalTime; a new socket (re-bind) starts afresh.
//
// A path is (source address, source interface, destination /24 or /48). What refuses is the egress device or a policy
// on the destination; neither is told by the kernel without a route lookup per train. The sticky source names the
// device for answered peers, and the prefix stands for the route of the others: routes to neighbours in one site
// prefix nearly always share a device, and where they do not, the cost of a wrong guess is speed, never a datagram.
//
// Threads: the sending thread owns it; the gauges may be read by any thread.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/packet/batch.h"

namespace fireline::io {

inline constexpr Duration kGsoRefusalTime = std::chrono::minutes(10);
// Also bounds the memory: the path that would be the fourth switches the socket instead.
inline constexpr std::size_t kGsoRefusingPaths = 4;

class GsoPolicy {
 public:
  // `segments_max`: 1 switches GSO off.
  explicit GsoPolicy(std::size_t segments_max = packet::kTrainSegments) noexcept
      : segments_max_(segments_max), gauge_segments_(segments_max) {}

  // How many segments one send to this train's destination may carry; 1: singly.
  [[nodiscard]] std::size_t segments(const packet::UdpTrain& train, Instant now) noexcept;

  // The kernel answered EINVAL to more than 64 segments: older kernels' limit. True when that lowered the limit, so
  // that the send is to be tried again; false when this is a refusal to be followed up by refuse().
  [[nodiscard]] bool lower_limit(std::size_t segments_tried) noexcept;

  enum class Refusal : std::uint8_t { known, first, path, socket };  // what the news is, for one log line
  // A GSO send of this train failed with `code` and its first datagram alone then went out.
  Refusal refuse(const packet::UdpTrain& train, int code, Instant now) noexcept;

  // Gauges for any thread.
  [[nodiscard]] bool enabled() const noexcept { return !gauge_socket_refused_.load(std::memory_order_relaxed); }
  [[nodiscard]] int last_errno() const noexcept { return gauge_errno_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t refused_paths() const noexcept { return gauge_paths_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t segments_max() const noexcept { return gauge_segments_.load(std::memory_order_relaxed); }

 private:
  struct Path {
    IpAddress source;
    std::uint32_t interface = 0;
    Prefix destination;
    friend bool operator==(const Path&, const Path&) noexcept = default;
  };
  struct Entry {
    Path path;
    Instant until;
  };

  [[nodiscard]] static Path path_of(const packet::UdpTrain& train) noexcept;
  void forget(Instant now) noexcept;
  void publish() noexcept;

  std::array<Entry, kGsoRefusingPaths - 1> refusing_{};
  std::size_t refusing_count_ = 0;
  std::optional<Instant> socket_refused_until_;
  std::size_t segments_max_;

  std::atomic<bool> gauge_socket_refused_{false};
  std::atomic<int> gauge_errno_{0};
  std::atomic<std::size_t> gauge_paths_{0};
  std::atomic<std::size_t> gauge_segments_;
};

}  // namespace fireline::io
