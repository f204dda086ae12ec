// A client as its user and an operator see it: values without secrets. Threads: any.
// Source: tunnel specification 2.7.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/uuid.h"
#include "core/policy/resource.h"

namespace fireline::tunnel {

// Of a site, and of a resource by its sites.
enum class Reachability : std::uint8_t { unknown, online, offline };

// As Firezone writes it.
[[nodiscard]] constexpr std::string_view name_of(Reachability reachability) noexcept {
  switch (reachability) {
    case Reachability::unknown:
      return "Unknown";
    case Reachability::online:
      return "Online";
    case Reachability::offline:
      break;
  }
  return "Offline";
}

struct ResourceView {
  Uuid id;
  policy::ResourceKind kind = policy::ResourceKind::cidr;
  std::string name;
  std::string address;  // pattern or network; empty for the Internet
  std::optional<std::string> description;
  std::vector<policy::Site> sites;
  Reachability status = Reachability::unknown;
  bool enabled = true;  // false: the Internet resource, switched off
  friend bool operator==(const ResourceView& a, const ResourceView& b) noexcept;
};

// The Internet resource first, then by name and id in byte order.
using ResourceList = std::vector<ResourceView>;

struct ResourceFlow {
  Uuid resource;
  std::optional<Uuid> gateway;      // that takes its packets
  bool requested = false;           // the portal was asked and has not answered
  std::size_t pending_packets = 0;  // that wait for the answer
};

struct GatewayView {
  Uuid id;
  Uuid site;
  IpAddress ipv4;
  IpAddress ipv6;
  bool established = false;
  std::size_t resources = 0;
};

struct SiteView {
  Uuid id;
  std::string name;
  Reachability status = Reachability::unknown;
};

struct ClientStatus {
  bool configured = false;  // the portal has given addresses
  IpAddress ipv4;
  IpAddress ipv6;
  bool internet_enabled = false;
  ResourceList resources;
  std::vector<SiteView> sites;        // of the resources, by id
  std::vector<ResourceFlow> flows;    // of resources with a gateway or a request, by id
  std::vector<GatewayView> gateways;  // connected or connecting, by id; more in Node::status()
  std::size_t pending_bytes = 0;
};

}  // namespace fireline::tunnel
