#include "core/portal/server/untold_rejections.h"

#include <algorithm>
#include <iterator>

namespace fireline::portal {
namespace {

// A walk over all of them.
constexpr Timestamp kDropEvery = 60;

Timestamp seconds(Now now) noexcept {
  return std::chrono::floor<std::chrono::seconds>(now.wall).time_since_epoch().count();
}

}  // namespace

bool UntoldRejections::add(const GrantKey& key, Timestamp end, Now now) {
  const Timestamp wall = seconds(now);
  if (end + kClockSlack < wall) return true;
  if (count_ >= kUntoldMax) drop_ended(wall);
  if (count_ >= kUntoldMax) return false;
  if (of_gateway_[key.gateway].insert_or_assign(key, end).second) ++count_;
  return true;
}

std::optional<GrantKey> UntoldRejections::next(const Uuid& gateway) const {
  const auto found = of_gateway_.find(gateway);
  return found == of_gateway_.end() ? std::nullopt : std::optional(found->second.begin()->first);
}

bool UntoldRejections::take(const GrantKey& key) {
  const auto found = of_gateway_.find(key.gateway);
  if (found == of_gateway_.end()) return false;
  if (found->second.erase(key) == 0) return false;
  --count_;
  if (found->second.empty()) of_gateway_.erase(found);
  return true;
}

void UntoldRejections::told(const GrantKey& key, Instant now) {
  while (!told_.empty() && (now - told_.front().when > kToldMemory || told_.size() >= kUntoldMax)) told_.pop_front();
  told_.push_back({key, now});
}

void UntoldRejections::recall(const Uuid& gateway, Now now) {
  std::erase_if(told_, [&](const Told& one) {
    if (one.key.gateway != gateway) return false;
    // Its end does not matter: it is told at once.
    if (now.boot - one.when <= kToldMemory) static_cast<void>(add(one.key, kFarFuture, now));
    return true;
  });
}

void UntoldRejections::forget(const Uuid& gateway) {
  std::erase_if(told_, [&](const Told& one) { return one.key.gateway == gateway; });
  const auto found = of_gateway_.find(gateway);
  if (found == of_gateway_.end()) return;
  count_ -= found->second.size();
  of_gateway_.erase(found);
}

void UntoldRejections::drop_ended(Timestamp now) {
  if (dropped_ && now >= *dropped_ && now - *dropped_ < kDropEvery) return;
  dropped_ = now;
  for (auto at = of_gateway_.begin(); at != of_gateway_.end();) {
    count_ -= std::erase_if(at->second, [&](const auto& one) { return one.second + kClockSlack < now; });
    at = at->second.empty() ? of_gateway_.erase(at) : std::next(at);
  }
}

}  // namespace fireline::portal
