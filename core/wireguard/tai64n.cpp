#include "core/wireguard/tai64n.h"

#include <algorithm>
#include <cstdint>

namespace fireline::wireguard {
namespace {

constexpr std::uint64_t kTai64Base = std::uint64_t{1} << 62;
constexpr std::chrono::nanoseconds::rep kWhitenedUnit = 1 << 24;  // ns: the power of two below a fiftieth of a second

// Rounds the part below the second down, as the kernel does: the result is no multiple since 1970 but in each second.
UnixTime whiten(UnixTime time) noexcept {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  const auto nanos = (time - second).count();
  return second + Duration(nanos - nanos % kWhitenedUnit);
}

}  // namespace

Tai64n Tai64n::from_unix(UnixTime time, std::chrono::seconds tai_offset) noexcept {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  Tai64n result;
  store_be64(result.bytes, 0,
             kTai64Base + static_cast<std::uint64_t>((second.time_since_epoch() + tai_offset).count()));
  store_be32(result.bytes, 8, static_cast<std::uint32_t>((time - second).count()));
  return result;
}

Tai64n Tai64n::from_bytes(std::span<const std::byte, kTai64nBytes> bytes) noexcept {
  Tai64n result;
  std::ranges::copy(bytes, result.bytes.begin());
  return result;
}

Tai64n TimestampClock::next(Now now) noexcept {
  const bool whitened = source_ == TimestampSource::whitened;
  const UnixTime time = whitened ? whiten(now.wall) : start_.wall + (now.boot - start_.boot);
  last_ = std::max(time, last_ + Duration(1));
  return Tai64n::from_unix(last_, whitened ? kTaiOffsetPaper : kTaiOffsetFirezone);
}

}  // namespace fireline::wireguard
