#include "core/portal/server/login_limiter.h"

namespace fireline::portal {
namespace {

IpAddress counted_as(const IpAddress& source) {
  if (source.is_v4()) return source;
  return Prefix::make(source, 64)->address();
}

}  // namespace

bool LoginLimiter::may_try(Instant now, const IpAddress& source) const {
  const auto found = sources_.find(counted_as(source));
  if (found == sources_.end()) return true;
  return found->second->failures < kLoginFailuresMax || now - found->second->window_begin >= kLoginWindow;
}

void LoginLimiter::failed(Instant now, const IpAddress& source) {
  const IpAddress address = counted_as(source);
  auto found = sources_.find(address);
  if (found == sources_.end()) {
    if (sources_.size() == kLoginSourcesMax) {
      sources_.erase(by_age_.front().address);
      by_age_.pop_front();
    }
    by_age_.push_back({.address = address, .window_begin = now});
    found = sources_.emplace(address, std::prev(by_age_.end())).first;
  } else {
    by_age_.splice(by_age_.end(), by_age_, found->second);
  }
  Source& entry = *found->second;
  if (now - entry.window_begin >= kLoginWindow) {
    entry.window_begin = now;
    entry.failures = 0;
  }
  ++entry.failures;
}

}  // namespace fireline::portal
