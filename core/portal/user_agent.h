// The User-Agent header, by which alone a portal judges what a program understands.
// Source: portal specification 1.3, platform specification 6.6. Lifetime: values. Threads: any.
#pragma once
#include <string>
#include <string_view>

#include "core/portal/role.h"

namespace fireline::portal {

// Component and version as Firezone's programs have them: the versions whose protocol this is.
[[nodiscard]] constexpr std::string_view component_of(Role role) noexcept {
  switch (role) {
    case Role::client:
      return "headless-client/1.5.5";
    case Role::gateway:
      return "gateway/1.4.19";
    case Role::relay:
      break;
  }
  return "relay/0.1.0";
}

struct HostDescription {
  std::string os;          // "Debian"
  std::string os_version;  // "12.0.0"
  std::string arch;        // "x86_64"; may be empty
  std::string kernel;      // "6.1.0-25-amd64"; may be empty
};

// "Debian/12.0.0 gateway/1.4.19 (x86_64; 6.1.0-25-amd64)". Both slashes are always there, whatever is unknown, and
// nothing but visible ASCII and spaces: anything else broke the upgrade, or the gateway's channel.
[[nodiscard]] std::string user_agent(const HostDescription& host, Role role);

}  // namespace fireline::portal
