#include "io/gso_policy.h"

#include <algorithm>

namespace fireline::io {
namespace {
constexpr unsigned kSitePrefixV4 = 24;
constexpr unsigned kSitePrefixV6 = 48;
}  // namespace

std::size_t GsoPolicy::segments(const packet::UdpTrain& train, Instant now) noexcept {
  if (refusing_count_ == 0 && !socket_refused_until_.has_value()) return segments_max_;
  forget(now);
  if (socket_refused_until_.has_value()) return 1;
  if (refusing_count_ == 0) return segments_max_;
  const Path path = path_of(train);
  const auto end = refusing_.begin() + static_cast<std::ptrdiff_t>(refusing_count_);
  const bool refused = std::any_of(refusing_.begin(), end, [&path](const Entry& entry) { return entry.path == path; });
  return refused ? 1 : segments_max_;
}

bool GsoPolicy::lower_limit(std::size_t segments_tried) noexcept {
  if (segments_tried <= packet::kTrainSegments) return false;
  segments_max_ = packet::kTrainSegments;
  gauge_segments_.store(segments_max_, std::memory_order_relaxed);
  return true;
}

GsoPolicy::Refusal GsoPolicy::refuse(const packet::UdpTrain& train, int code, Instant now) noexcept {
  forget(now);
  const bool first = gauge_errno_.load(std::memory_order_relaxed) == 0;
  gauge_errno_.store(code, std::memory_order_relaxed);
  if (socket_refused_until_.has_value()) return Refusal::known;

  const Path path = path_of(train);
  for (std::size_t i = 0; i < refusing_count_; ++i) {
    if (refusing_[i].path == path) return Refusal::known;
  }
  if (refusing_count_ == refusing_.size()) {
    socket_refused_until_ = now + kGsoRefusalTime;
    refusing_count_ = 0;
    publish();
    return Refusal::socket;
  }
  refusing_[refusing_count_++] = Entry{.path = path, .until = now + kGsoRefusalTime};
  publish();
  return first ? Refusal::first : Refusal::path;
}

GsoPolicy::Path GsoPolicy::path_of(const packet::UdpTrain& train) noexcept {
  const IpAddress& destination = train.destination.address;
  const unsigned length = destination.is_v4() ? kSitePrefixV4 : kSitePrefixV6;
  return Path{.source = train.local.address,
              .interface = train.local.interface,
              .destination = Prefix::make(destination, length).value_or(Prefix{})};
}

void GsoPolicy::forget(Instant now) noexcept {
  if (socket_refused_until_.has_value() && now >= *socket_refused_until_) socket_refused_until_.reset();
  const auto begin = refusing_.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(refusing_count_);
  const auto kept = std::remove_if(begin, end, [now](const Entry& entry) { return now >= entry.until; });
  refusing_count_ = static_cast<std::size_t>(kept - begin);
  publish();
}

void GsoPolicy::publish() noexcept {
  gauge_socket_refused_.store(socket_refused_until_.has_value(), std::memory_order_relaxed);
  gauge_paths_.store(refusing_count_, std::memory_order_relaxed);
}

}  // namespace fireline::io
