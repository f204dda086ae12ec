// Which counters of a session were received already: a ring of bits behind the greatest counter (RFC 6479).
// Moving on clears whole words, so one word of the ring is never part of the window.
// Source: WireGuard paper section 5.4.6; the kernel's counter_validate. No allocation. Threads: one owner.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/prefetch.h"
#include "core/wireguard/constants.h"

namespace fireline::wireguard {

class ReplayWindow {
 public:
  static constexpr std::size_t kBits = 8192;
  static constexpr std::size_t kWordBits = 64;
  static constexpr std::size_t kOlderMax = kBits - kWordBits;

  // Accepts counters down to the greatest one less `older`, at most kOlderMax; aborts beyond.
  explicit ReplayWindow(std::size_t older) noexcept;

  // Whether accept() would take the counter: worth a look before a packet is opened.
  [[nodiscard]] bool acceptable(std::uint64_t counter) const noexcept {
    if (!in_window(counter)) return false;
    const std::uint64_t position = counter + 1;
    return position > top_ || (words_[word_of(position)] & bit_of(position)) == 0;
  }

  // For acceptable() and accept() soon, besides the window's own first line.
  void prefetch(std::uint64_t counter) const noexcept { prefetch_line(&words_[word_of(counter + 1)]); }

  // Marks the counter of an authentic packet; false when it was marked before, is too old or at the counters' end.
  [[nodiscard]] bool accept(std::uint64_t counter) noexcept {
    if (!in_window(counter)) return false;
    const std::uint64_t position = counter + 1;
    if (position > top_) advance(position);
    std::uint64_t& word = words_[word_of(position)];
    const std::uint64_t bit = bit_of(position);
    if ((word & bit) != 0) return false;
    word |= bit;
    return true;
  }

 private:
  static constexpr std::size_t kWords = kBits / kWordBits;

  [[nodiscard]] static std::size_t word_of(std::uint64_t position) noexcept {
    return static_cast<std::size_t>(position / kWordBits) % kWords;
  }
  [[nodiscard]] static std::uint64_t bit_of(std::uint64_t position) noexcept {
    return std::uint64_t{1} << (position % kWordBits);
  }
  // Cannot overflow: kRejectAfterMessages stays below 2^64 by more than kOlderMax.
  [[nodiscard]] bool in_window(std::uint64_t counter) const noexcept {
    return counter < kRejectAfterMessages && counter + 1 + older_ >= top_;
  }
  void advance(std::uint64_t position) noexcept {
    const std::uint64_t from = top_ / kWordBits;
    const std::uint64_t to = position / kWordBits;
    if (to - from >= kWords) {
      words_.fill(0);
    } else {
      for (std::uint64_t word = from + 1; word <= to; ++word) words_[static_cast<std::size_t>(word) % kWords] = 0;
    }
    top_ = position;
  }

  std::uint64_t top_ = 0;  // greatest counter accepted plus 1; 0: none yet
  std::uint64_t older_;
  std::array<std::uint64_t, kWords> words_{};
};

}  // namespace fireline::wireguard
