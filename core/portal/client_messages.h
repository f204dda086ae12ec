// Messages between portal and client. Source: portal specification 3.
// Lifetime: values. Threads: any.
#pragma once
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "core/crypto/keys.h"
#include "core/policy/resource.h"
#include "core/portal/common_messages.h"

namespace fireline::portal {

// 3.1: what the portal tells a client.
struct ClientInit {
  Interface interface;
  std::vector<policy::ClientResource> resources;  // what could be read
  RelayEntries relays;
  std::size_t skipped = 0;  // resources of unknown types or with bad parts
};

struct ConfigChanged {
  Interface interface;
};

struct ResourceCreatedOrUpdated {
  policy::ClientResource resource;
};

struct ResourceDeleted {
  Uuid resource;
};

struct FlowCreated {
  Uuid resource;
  Uuid gateway;
  Uuid site;
  crypto::PublicKey gateway_key;
  IpAddress gateway_ipv4;
  IpAddress gateway_ipv6;
  crypto::Key preshared_key;
  IceCredentialText client_ice;
  IceCredentialText gateway_ice;
};

enum class FlowFailure : std::uint8_t { not_found, offline, forbidden, other };

struct FlowCreationFailed {
  Uuid resource;
  FlowFailure reason = FlowFailure::other;
  std::string reason_text;                       // as sent
  std::vector<std::string> violated_properties;  // as sent
};

using PortalToClient = std::variant<ClientInit, ConfigChanged, ResourceCreatedOrUpdated, ResourceDeleted,
                                    RelaysPresence, FlowCreated, FlowCreationFailed, IceCandidates>;

// 3.2: what a client tells the portal. IceCandidates goes both ways.
struct CreateFlow {
  Uuid resource;
  std::vector<Uuid> connected_gateways;  // written in ascending order
};

using ClientToPortal = std::variant<CreateFlow, IceCandidates>;

}  // namespace fireline::portal
