#include "core/wireguard/rate_limiter.h"

#include <algorithm>
#include <bit>
#include <span>

namespace fireline::wireguard {
namespace {

constexpr std::size_t kSets = SourceLimiter::kSources / SourceLimiter::kWays;
static_assert(std::has_single_bit(kSets));
constexpr int kSetShift = 64 - std::bit_width(kSets - 1);

std::uint64_t random_u64(crypto::Random& random) noexcept {
  const std::uint64_t high = random.u32();
  return high << 32 | random.u32();
}

}  // namespace

bool LoadDetector::under_load(Instant now, std::size_t queued, std::size_t capacity) noexcept {
  return rule_ == LoadRule::per_window ? window_exceeded(now) : queue_filling(now, queued, capacity);
}

bool LoadDetector::window_exceeded(Instant now) noexcept {
  if (!since_ || now - *since_ >= kLoadWindow) {
    since_ = now;
    count_ = 0;
  }
  return ++count_ > per_window_;
}

bool LoadDetector::queue_filling(Instant now, std::size_t queued, std::size_t capacity) noexcept {
  if (queued * kLoadQueueShare >= capacity) {
    since_ = now;
    return true;
  }
  return since_ && now - *since_ < kLoadHold;
}

SourceLimiter::SourceLimiter(std::uint16_t messages_per_second, crypto::Random& random)
    : cost_(Duration(std::chrono::seconds(1)) / std::max<std::uint16_t>(messages_per_second, 1)),
      multiplier_(random_u64(random) | 1),
      addend_(random_u64(random)),
      entries_(kSources) {}

bool SourceLimiter::admit(Instant now, const IpAddress& source) noexcept {
  const ConstBytes address = source.bytes();
  const std::uint64_t prefix = source.is_v4() ? load_be32(address, 0) : load_be64(address, 0);
  Entry& entry = find_or_replace(now, prefix, source.family());
  entry.tokens = tokens_at(now, entry);
  entry.refilled = now;
  if (entry.tokens < cost_) return false;
  entry.tokens -= cost_;
  return true;
}

std::size_t SourceLimiter::sources() const noexcept {
  return static_cast<std::size_t>(std::ranges::count(entries_, true, &Entry::used));
}

SourceLimiter::Entry& SourceLimiter::find_or_replace(Instant now, std::uint64_t prefix, Family family) noexcept {
  const std::uint64_t spread = prefix * multiplier_ + addend_;
  const auto set = std::span(entries_).subspan((spread >> kSetShift) * kWays, kWays);

  Entry* oldest = &set.front();
  for (Entry& entry : set) {
    if (!entry.used) {  // places fill from the front: behind a free one nothing is used
      entry = Entry{.prefix = prefix, .refilled = now, .tokens = cost_ * kBurst, .family = family, .used = true};
      return entry;
    }
    if (entry.prefix == prefix && entry.family == family) return entry;
    if (entry.refilled < oldest->refilled) oldest = &entry;
  }
  oldest->prefix = prefix;
  oldest->family = family;
  return *oldest;  // with the tokens that the replaced source had left
}

Duration SourceLimiter::tokens_at(Instant now, const Entry& entry) const noexcept {
  return std::min(entry.tokens + (now - entry.refilled), cost_ * kBurst);
}

}  // namespace fireline::wireguard
