// The three programs that log in to a portal; the name is the topic of their channel and the segment of their URL.
// Source: portal specification 1.1 and 1.9. Lifetime: values. Threads: any.
#pragma once
#include <cstdint>
#include <string_view>

namespace fireline::portal {

enum class Role : std::uint8_t { client, gateway, relay };

[[nodiscard]] constexpr std::string_view name_of(Role role) noexcept {
  switch (role) {
    case Role::client:
      return "client";
    case Role::gateway:
      return "gateway";
    case Role::relay:
      break;
  }
  return "relay";
}

}  // namespace fireline::portal
