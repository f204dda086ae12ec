// What arrived of a numbered stream: losses, reorders, duplicates. Numbers start at zero. One thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fireline::bench {

class SequenceMeter {
 public:
  // A number outside kNumbersMax is foreign and ignored.
  void arrived(std::uint64_t number);

  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }  // without duplicates
  // One above the highest number so far.
  [[nodiscard]] std::uint64_t next() const noexcept { return next_; }
  // Arrived after a higher number (RFC 4737 section 3.3).
  [[nodiscard]] std::uint64_t reordered() const noexcept { return reordered_; }
  [[nodiscard]] std::uint64_t duplicates() const noexcept { return duplicates_; }

 private:
  static constexpr std::uint64_t kNumbersMax = std::uint64_t{1} << 28;  // a minute of four million datagrams a second

  std::uint64_t received_ = 0;
  std::uint64_t reordered_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t next_ = 0;
  std::vector<std::uint64_t> seen_ = std::vector<std::uint64_t>(1 << 16);  // one bit per number; grows
};

}  // namespace fireline::bench
