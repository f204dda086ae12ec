// A queue in which each frame waits for the same time, and some frames are lost: one direction of a slow link. Order is
// kept. Sans-I/O. Threads: one owner. Limits: DelayOptions.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <vector>

#include "core/base/time.h"

namespace fireline::lab {

// 100 ms of 5 Gbit/s, far beyond what one thread carries: a full line means that nobody reads the far end.
inline constexpr std::size_t kLineBytesMax = std::size_t{64} << 20;

struct DelayOptions {
  Duration delay{};
  double loss = 0;  // share of the frames, 0 to 1
  std::size_t bytes_max = kLineBytesMax;
};

using Frame = std::vector<std::byte>;

struct DelayCounts {
  std::uint64_t frames = 0;  // = carried + lost + full + waiting
  std::uint64_t carried = 0;
  std::uint64_t lost = 0;  // on purpose
  std::uint64_t full = 0;  // beyond bytes_max
};

class DelayLine {
 public:
  DelayLine(const DelayOptions& options, std::uint64_t seed) : options_(options), random_(seed) {}

  void push(Instant now, Frame frame) {
    ++counts_.frames;
    if (options_.loss > 0 && std::bernoulli_distribution(options_.loss)(random_)) {
      ++counts_.lost;
    } else if (bytes_ + frame.size() > options_.bytes_max) {
      ++counts_.full;
    } else {
      bytes_ += frame.size();
      waiting_.push_back({now + options_.delay, std::move(frame)});
    }
  }
  // When the oldest frame is due; empty: none waits.
  [[nodiscard]] std::optional<Instant> due() const noexcept {
    return waiting_.empty() ? std::nullopt : std::optional(waiting_.front().due);
  }
  // Only while due() has a value.
  [[nodiscard]] const Frame& front() const noexcept { return waiting_.front().frame; }
  void pop() noexcept {
    ++counts_.carried;
    bytes_ -= waiting_.front().frame.size();
    waiting_.pop_front();
  }
  [[nodiscard]] const DelayCounts& counts() const noexcept { return counts_; }

 private:
  struct Waiting {
    Instant due;
    Frame frame;
  };
  DelayOptions options_;
  std::mt19937_64 random_;
  std::deque<Waiting> waiting_;
  std::size_t bytes_ = 0;
  DelayCounts counts_;
};

}  // namespace fireline::lab
