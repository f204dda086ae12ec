#include "relay/protocol/answer_limiter.h"

#include <algorithm>
#include <array>

namespace fireline::relay {
namespace {

// What arrived while the loop slept or worked is answered in one go: a tenth of a second's worth.
constexpr std::uint32_t kTotalBurstsPerSecond = 10;

Duration interval_of(std::uint32_t per_second) noexcept {
  return Duration(std::chrono::seconds(1)) / std::max(per_second, 1u);
}

// A host has a whole /64 of IPv6 to send from.
IpAddress source_of(const IpAddress& address) noexcept {
  if (address.is_v4()) return address;
  std::array<std::byte, 16> bytes{};
  std::ranges::copy(address.bytes().first(8), bytes.begin());
  return IpAddress::from_bytes(bytes);
}

}  // namespace

AnswerLimiter::AnswerLimiter(const Limits& limits, crypto::Random& random) noexcept
    : source_interval_(interval_of(limits.answers_per_second_source)),
      source_burst_(std::max(limits.answers_burst_source, 1u)),
      total_interval_(interval_of(limits.answers_per_second_total)),
      total_burst_(std::max(limits.answers_per_second_total / kTotalBurstsPerSecond, 1u)),
      sources_(limits.answer_sources, random) {}

AnswerLimiter::Verdict AnswerLimiter::ask(Instant now, const IpAddress& source) {
  const IpAddress key = source_of(source);
  AnswerPace* pace = sources_.find(key);
  if (pace != nullptr && !pace->has_room(now, source_interval_, source_burst_)) return Verdict::source_limit;
  // Before the source is remembered: a flood above the total must not turn the table over.
  if (!total_.has_room(now, total_interval_, total_burst_)) return Verdict::total_limit;
  if (pace == nullptr) pace = sources_.add(key, AnswerPace{}).value;
  pace->take(now, source_interval_);
  total_.take(now, total_interval_);
  return Verdict::answer;
}

}  // namespace fireline::relay
