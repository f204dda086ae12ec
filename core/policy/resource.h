// What a policy gives access to, as clients and as gateways see it. Source: portal specification 2.3 and 2.4.
// Lifetime: values. Threads: any.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/uuid.h"
#include "core/policy/filter.h"

namespace fireline::policy {

// A group of gateways. Compared by id alone.
struct Site {
  Uuid id;
  std::string name;
};

// A portal's "ip" resource is a cidr of one address.
enum class ResourceKind : std::uint8_t { dns, cidr, internet };

[[nodiscard]] constexpr std::string_view name_of(ResourceKind kind) noexcept {
  switch (kind) {
    case ResourceKind::dns:
      return "dns";
    case ResourceKind::cidr:
      return "cidr";
    case ResourceKind::internet:
      break;
  }
  return "internet";
}

enum class IpStack : std::uint8_t { dual, ipv4_only, ipv6_only };

inline constexpr std::string_view kInternetResourceName = "Internet Resource";

struct ClientResource {
  Uuid id;
  ResourceKind kind = ResourceKind::cidr;
  std::string name;
  std::string pattern;  // dns
  Prefix network;       // cidr
  std::optional<std::string> description;
  std::vector<Site> sites;
  IpStack ip_stack = IpStack::dual;  // dns
  FilterList filters{};              // not for internet; portals send them, Firezone's clients pay no heed
};

struct GatewayResource {
  Uuid id;
  ResourceKind kind = ResourceKind::cidr;
  std::string name;
  std::string pattern;  // dns
  Prefix network;       // cidr
  FilterList filters;   // not for internet: everything passes
};

}  // namespace fireline::policy
