// A queue in which each frame waits for the same time: one direction of a slow link. Where it is asked to lose or to
// reorder, each segment of a GSO train has a fate of its own; a train that nothing happens to stays whole. A segment
// that is late waits longer than the others, which overtake it; otherwise order is kept. Sans-I/O. Threads: one owner.
// Limits: DelayOptions.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>

#include "core/base/time.h"
#include "tools/delay/train.h"

namespace fireline::lab {

// 100 ms of 5 Gbit/s, far beyond what one thread carries: a full line means that nobody reads the far end.
inline constexpr std::size_t kLineBytesMax = std::size_t{64} << 20;

struct DelayOptions {
  Duration delay{};
  double loss = 0;     // share of the segments, 0 to 1
  double reorder = 0;  // share of the segments that are late, 0 to 1
  Duration late_by = std::chrono::milliseconds(1);
  std::size_t bytes_max = kLineBytesMax;
};

// Of segments where something is lost or late, of whole frames otherwise.
struct DelayCounts {
  std::uint64_t frames = 0;  // = carried + lost + full + waiting
  std::uint64_t carried = 0;
  std::uint64_t lost = 0;   // on purpose
  std::uint64_t full = 0;   // beyond bytes_max
  std::uint64_t late = 0;   // on purpose; carried as well
  std::uint64_t bytes = 0;  // of what was carried
};

class DelayLine {
 public:
  DelayLine(const DelayOptions& options, std::uint64_t seed) : options_(options), random_(seed) {}

  void push(Instant now, Frame frame);
  // When the next frame is due; empty: none waits.
  [[nodiscard]] std::optional<Instant> due() const noexcept;
  // Only while due() has a value.
  [[nodiscard]] const Frame& front() const noexcept { return next()->front().frame; }
  void pop() noexcept;

  [[nodiscard]] const DelayCounts& counts() const noexcept { return counts_; }

 private:
  enum class Fate : std::uint8_t { on_time, late, lost };
  struct Waiting {
    Instant due;
    Frame frame;
    std::size_t count;
  };
  using Queue = std::deque<Waiting>;

  [[nodiscard]] Fate fate();
  void push_train(Instant now, Frame& frame, const Train& train);
  void push_one(Instant now, Frame frame, Fate fate, std::size_t count);
  // Both queues are in order of time; null: both are empty.
  [[nodiscard]] const Queue* next() const noexcept;

  DelayOptions options_;
  std::mt19937_64 random_;
  Queue on_time_;
  Queue late_;
  std::size_t bytes_ = 0;
  DelayCounts counts_;
};

}  // namespace fireline::lab
