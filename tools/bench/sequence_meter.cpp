#include "tools/bench/sequence_meter.h"

#include <algorithm>

namespace fireline::bench {

void SequenceMeter::arrived(std::uint64_t number) {
  if (number >= kNumbersMax) return;
  const std::size_t word = number / 64;
  if (word >= seen_.size()) seen_.resize(std::max(word + 1, seen_.size() * 2));
  const std::uint64_t bit = std::uint64_t{1} << (number % 64);
  if ((seen_[word] & bit) != 0) {
    ++duplicates_;
    return;
  }
  seen_[word] |= bit;
  ++received_;
  if (number < next_) {
    ++reordered_;
  } else {
    next_ = number + 1;
  }
}

}  // namespace fireline::bench
