// Names for what the client's tests are made of: ids, resources, answers of the portal.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/crypto/x25519.h"
#include "core/portal/client_messages.h"
#include "tests/unit/core/crypto/seeded_random.h"

namespace fireline::tunnel::test {

inline const std::string kOwn4 = "100.64.0.10";
inline const std::string kOwn6 = "fd00:2021:1111::a";

inline Uuid uuid(std::uint8_t last, std::uint8_t first = 0) {
  Uuid id;
  id.bytes[0] = first;
  id.bytes[15] = last;
  return id;
}
inline Uuid site_id(std::uint8_t number) {
  return uuid(number, 0x51);
}
inline Uuid gateway_id(std::uint8_t number) {
  return uuid(number, 0x6A);
}

inline IpAddress ip(const std::string& text) {
  return IpAddress::parse(text).value();
}
inline Prefix net(const std::string& text) {
  return Prefix::parse(text).value();
}

inline policy::ClientResource cidr(std::uint8_t id, const std::string& network, std::vector<std::uint8_t> sites = {1}) {
  policy::ClientResource resource;
  resource.id = uuid(id);
  resource.kind = policy::ResourceKind::cidr;
  resource.name = "resource " + std::to_string(id);
  resource.network = net(network);
  for (const std::uint8_t site : sites) {
    resource.sites.push_back({.id = site_id(site), .name = "site " + std::to_string(site)});
  }
  return resource;
}
inline policy::ClientResource internet(std::uint8_t id, std::vector<std::uint8_t> sites = {1}) {
  policy::ClientResource resource = cidr(id, "0.0.0.0/0", std::move(sites));
  resource.kind = policy::ResourceKind::internet;
  resource.network = {};
  resource.name = policy::kInternetResourceName;
  return resource;
}
inline policy::ClientResource dns(std::uint8_t id, const std::string& pattern, std::vector<std::uint8_t> sites = {1}) {
  policy::ClientResource resource = cidr(id, "0.0.0.0/0", std::move(sites));
  resource.kind = policy::ResourceKind::dns;
  resource.network = {};
  resource.pattern = pattern;
  return resource;
}

inline portal::Interface own_interface() {
  return {.ipv4 = ip(kOwn4), .ipv6 = ip(kOwn6), .upstream_do53 = {}, .upstream_doh = {}, .search_domain = {}};
}

inline std::string gateway_ip4(std::uint8_t number) {
  return "100.70.0." + std::to_string(number);
}
inline std::string gateway_ip6(std::uint8_t number) {
  return "fd00:2021:1111::6:" + std::to_string(number);
}
inline crypto::Key gateway_private_key(std::uint8_t number) {
  return crypto::seeded_key(1000u + number);
}

// The portal gives the resource to a gateway.
inline portal::FlowCreated flow(const Uuid& resource, std::uint8_t gateway, std::uint8_t site = 1) {
  portal::FlowCreated message;
  message.resource = resource;
  message.gateway = gateway_id(gateway);
  message.site = site_id(site);
  message.gateway_key = crypto::public_key(gateway_private_key(gateway));
  message.gateway_ipv4 = ip(gateway_ip4(gateway));
  message.gateway_ipv6 = ip(gateway_ip6(gateway));
  message.preshared_key = crypto::seeded_key(50);
  // Each connection has its own, by which its checks are told apart.
  const std::string number = std::to_string(gateway);
  message.client_ice = {.username = "llqe" + number, .password = "jio6xwffz6i3ixgub3h4n5" + number};
  message.gateway_ice = {.username = "nk46" + number, .password = "yiuijlligg2km2kweghata" + number};
  return message;
}
inline portal::FlowCreationFailed failure(const Uuid& resource, portal::FlowFailure reason) {
  return {.resource = resource, .reason = reason, .reason_text = {}, .violated_properties = {}};
}

}  // namespace fireline::tunnel::test
