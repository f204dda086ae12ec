#include "relay/protocol/server_counters.h"

#include <algorithm>

#include "core/stun/header.h"

namespace fireline::relay {
namespace {

ResponseCounters::Method method_of(std::uint16_t number) noexcept {
  switch (static_cast<stun::Method>(number)) {
    case stun::Method::binding:
      return ResponseCounters::Method::binding;
    case stun::Method::allocate:
      return ResponseCounters::Method::allocate;
    case stun::Method::refresh:
      return ResponseCounters::Method::refresh;
    case stun::Method::create_permission:
      return ResponseCounters::Method::createpermission;
    case stun::Method::channel_bind:
      return ResponseCounters::Method::channelbind;
    default:
      return ResponseCounters::Method::other;
  }
}

}  // namespace

void ResponseCounters::add(std::uint16_t method_number, std::uint16_t code) noexcept {
  const auto place = std::ranges::find(kCodes, code);
  if (place == kCodes.end()) std::abort();  // an answer with a code that the metrics do not know
  const auto method = static_cast<std::size_t>(method_of(method_number));
  counts_[method][static_cast<std::size_t>(place - kCodes.begin())].add();
}

std::uint64_t ResponseCounters::total() const noexcept {
  std::uint64_t sum = 0;
  for_each([&](std::string_view, std::uint16_t, std::uint64_t value) { sum += value; });
  return sum;
}

}  // namespace fireline::relay
