// Messages between portal and gateway. Source: portal specification 4.
// Lifetime: values. Threads: any.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/crypto/keys.h"
#include "core/policy/resource.h"
#include "core/portal/common_messages.h"

namespace fireline::portal {

struct Authorization {
  Uuid client;
  Uuid resource;
  Timestamp expires_at = 0;
};

// 4.1: what the portal tells a gateway.
struct GatewayInit {
  Interface interface;
  RelayEntries relays;
  std::optional<std::string> account_slug;
  // All grants that are still valid. Absent: nothing is said about grants; empty: there are none.
  std::optional<std::vector<Authorization>> authorizations;
};

// Who asks, for logs alone. Empty: unknown.
struct ClientDescription {
  std::string version;
  std::string os_name;
  std::string os_version;
  std::string actor_name;
  std::string actor_email;
  std::string device_serial;
  std::string device_uuid;
  std::string actor_id;
};

struct AuthorizeFlow {
  std::string ref;  // opaque; goes back unchanged
  policy::GatewayResource resource;
  Uuid client;
  crypto::PublicKey client_key;
  crypto::Key preshared_key;
  IpAddress client_ipv4;
  IpAddress client_ipv6;
  IceCredentialText client_ice;
  IceCredentialText gateway_ice;
  std::optional<Timestamp> expires_at;  // empty: never
  ClientDescription description;
};

struct AuthorizationExpiryUpdated {
  Uuid client;
  Uuid resource;
  Timestamp expires_at = 0;
};

struct RejectAccess {
  Uuid client;
  Uuid resource;
};

struct ResourceUpdated {
  policy::GatewayResource resource;
};

using PortalToGateway = std::variant<GatewayInit, RelaysPresence, AuthorizeFlow, AuthorizationExpiryUpdated,
                                     RejectAccess, ResourceUpdated, IceCandidates>;

// 4.2: what a gateway tells the portal. IceCandidates goes both ways; `peer` is the client.
struct FlowAuthorized {
  std::string ref;
};

using GatewayToPortal = std::variant<FlowAuthorized, IceCandidates>;

}  // namespace fireline::portal
