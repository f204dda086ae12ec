// What the portal tells both ends about one connection. Source: connectivity specification 2.1 and 2.9.
// Lifetime: a value; its keys and credentials wipe themselves. Threads: any.
#pragma once
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/crypto/keys.h"
#include "core/ice/credentials.h"

namespace fireline::node {

struct ConnectionParameters {
  // The identity: whatever differs in any of these is another connection.
  std::string id;  // the peer's: the client's id at the gateway, the gateway's id at the client
  crypto::PublicKey peer_key;
  crypto::Key preshared_key;
  ice::Credentials local;
  ice::Credentials remote;
  // Not identity: an upsert that reuses the connection replaces them.
  std::vector<Prefix> allowed_ips;
};

[[nodiscard]] inline bool is_same_connection(const ConnectionParameters& a, const ConnectionParameters& b) noexcept {
  bool same = a.id == b.id && a.peer_key == b.peer_key && a.local == b.local && a.remote == b.remote;
#ifndef FIRELINE_PLANTED_UPSERT_WITHOUT_PSK
  same = same && a.preshared_key == b.preshared_key;
#endif
  return same;
}

enum class UpsertOutcome : std::uint8_t {
  created,
  reused,     // the same in all five: paths and sessions are kept, candidates are signalled again
  replaced,   // another one had the id: dropped without a word, a new one was made
  no_relays,  // nothing was changed; get relays from the portal and try again
  full,       // nothing was changed; a limit of this node is reached
};

}  // namespace fireline::node
