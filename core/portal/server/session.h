// One logged-in connection: who it is, and what it was told. Source: portal specification 6.2, 6.6, 6.8.
// Lifetime: from an accepted login to the connection's end, owned by Presence. Threads: the owner's.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/base/uuid.h"
#include "core/crypto/keys.h"
#include "core/portal/server/actions.h"
#include "core/portal/server/login.h"
#include "core/portal/server/program_version.h"
#include "core/portal/store.h"

namespace fireline::portal {

// A relay as its peers know it. Another secret is another relay even at the same addresses, since every credential
// changes; the id follows from the secret, so that it stands for both.
struct KnownRelay {
  Uuid id;
  std::optional<IpAddress> ipv4;
  std::optional<IpAddress> ipv6;
  std::uint16_t port = 0;
  friend bool operator==(const KnownRelay&, const KnownRelay&) noexcept = default;
};

enum class JoinState : std::uint8_t {
  unjoined,    // heartbeats alone are answered
  joined,      // online
  superseded,  // a newer connection of the same device took over: nothing is delivered here any more
};

struct Session {
  ConnectionId id = ConnectionId::none;
  Role role = Role::client;
  JoinState channel = JoinState::unjoined;
  bool ending = false;  // its end was asked for: nothing that it says counts
  IpAddress source;
  Instant since;
  Uuid token;
  std::optional<Timestamp> token_expires;
  ProgramAgent agent;
  std::string device_serial;  // clients, empty if unknown
  std::string device_uuid;
  std::string name;

  // Clients and gateways. The device's owner is an actor or a site.
  Device device;
  crypto::PublicKey key;
  std::vector<KnownRelay> announced_relays;

  // Clients: places in the present document's resources, as last announced; ascending.
  std::vector<std::size_t> sees;

  // Gateways: the first question since they were heard of last.
  std::optional<Instant> asked;

  // Relays.
  KnownRelay relay;
};

}  // namespace fireline::portal
