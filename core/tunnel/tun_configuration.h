// How a client's TUN device is to be set up: always the whole, so that who applies it replaces and never merges.
// Source: tunnel specification 1.5 and 2.8, platform specification 2.2. Lifetime: values. Threads: any.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/base/endpoint.h"

namespace fireline::tunnel {

struct TunConfiguration {
  IpAddress ipv4;                      // with a prefix of 32
  IpAddress ipv6;                      // with a prefix of 128
  std::vector<Prefix> routes;          // each once, ascending; a default route belongs into the last of the tables
  std::vector<IpAddress> dns_servers;  // in the order in which the system shall ask them
  std::optional<std::string> search_domain;
  friend bool operator==(const TunConfiguration&, const TunConfiguration&) = default;
};

// The routes that there are with any resources: tunnel addresses, proxy addresses and sentinels.
[[nodiscard]] std::vector<Prefix> fixed_client_routes();

}  // namespace fireline::tunnel
