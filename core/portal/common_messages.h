// Parts of messages that clients and gateways have in common. Source: portal specification 2.
// Lifetime: values; what is secret wipes itself or is said to be the caller's. Threads: any.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/uuid.h"
#include "core/turn/relay_entries.h"

namespace fireline::portal {

// Unix seconds.
using Timestamp = std::int64_t;

// 2.1. The portal's two forms of plain DNS servers are merged: upstream_do53 if it is not empty, else upstream_dns.
struct Interface {
  IpAddress ipv4;
  IpAddress ipv6;
  std::vector<IpAddress> upstream_do53;
  std::vector<std::string> upstream_doh;
  std::optional<std::string> search_domain;
  friend bool operator==(const Interface&, const Interface&) = default;
};

// 2.2. `stun` entries are kept out.
using RelayEntries = std::vector<turn::RelayEntry>;

struct RelaysPresence {
  std::vector<std::string> disconnected_ids;  // lower-case hyphenated UUIDs
  RelayEntries connected;
};

struct IceCredentialText {
  std::string username;
  std::string password;
  friend bool operator==(const IceCredentialText&, const IceCredentialText&) = default;
};

// To or from a peer, by the side that sends.
struct IceCandidates {
  Uuid peer;
  std::vector<std::string> candidates;  // strings as they came; who reads them skips what does not parse
  bool invalidate = false;
};

}  // namespace fireline::portal
