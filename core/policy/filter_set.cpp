#include "core/policy/filter_set.h"

#include <algorithm>

namespace fireline::policy {
namespace {

// IANA protocol numbers.
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmp6 = 58;

}  // namespace

void FilterSet::add(const FilterList& list) {
  if (list.permits_everything()) everything_ = true;
  for (const Filter& filter : list.filters) {
    const Ports ports{.first = filter.first_port, .last = filter.last_port};
    switch (filter.protocol) {
      case FilterProtocol::tcp:
        merge(tcp_, ports);
        break;
      case FilterProtocol::udp:
        merge(udp_, ports);
        break;
      case FilterProtocol::icmp:
        icmp_ = true;
        break;
    }
  }
}

bool FilterSet::permits(std::uint8_t protocol, std::uint16_t port) const noexcept {
  if (everything_) return true;
  switch (protocol) {
    case kTcp:
      return contains(tcp_, port);
    case kUdp:
      return contains(udp_, port);
    case kIcmp:
    case kIcmp6:
      return icmp_;
    default:
      return false;
  }
}

void FilterSet::merge(std::vector<Ports>& ranges, Ports more) {
  if (more.first > more.last) return;
  // The first that ends at or behind the new one's begin: whatever stands before it is apart.
  const auto begin = std::ranges::lower_bound(ranges, more.first, {}, [](const Ports& ports) { return ports.last; });
  auto end = begin;
  for (; end != ranges.end() && end->first <= more.last; ++end) {
    more.first = std::min(more.first, end->first);
    more.last = std::max(more.last, end->last);
  }
  ranges.insert(ranges.erase(begin, end), more);
}

bool FilterSet::contains(const std::vector<Ports>& ranges, std::uint16_t port) noexcept {
  const auto range = std::ranges::lower_bound(ranges, port, {}, [](const Ports& ports) { return ports.last; });
#ifdef FIRELINE_PLANTED_BUG
  // A wrong bound on purpose: tools/fuzz shows that the fuzz target finds it.
  return range != ranges.end() && range->first <= port + 1;
#else
  return range != ranges.end() && range->first <= port;
#endif
}

}  // namespace fireline::policy
