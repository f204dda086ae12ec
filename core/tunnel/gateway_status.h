// A gateway as an operator sees it: values without secrets. Threads: any.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/uuid.h"
#include "core/node/node_status.h"
#include "core/portal/gateway_messages.h"
#include "core/tunnel/client_access.h"

namespace fireline::tunnel {

struct ClientView {
  Uuid id;
  IpAddress ipv4;
  IpAddress ipv6;
  portal::ClientDescription description;
  std::vector<Grant> grants;                         // by resource id
  std::optional<node::ConnectionStatus> connection;  // empty: it was lost, the grants wait for the client
};

struct GatewayStatus {
  bool configured = false;  // the portal has given addresses
  IpAddress ipv4;
  IpAddress ipv6;
  std::vector<ClientView> clients;  // by id
};

}  // namespace fireline::tunnel
