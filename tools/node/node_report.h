// What fireline-lab-node tells about itself, as JSON without secrets. Values; the control thread gathers them.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/node/node.h"
#include "tools/node/options.h"

namespace fireline::lab {

struct NodeReport {
  node::NodeRole role = node::NodeRole::client;
  std::string id;
  crypto::PublicKey public_key;
  std::string tun;
  std::uint16_t port_v4 = 0;  // 0: no socket of that family
  std::uint16_t port_v6 = 0;
  bool icmp_errors = false;  // heard of
  std::string thread_mode;
  std::string udp_io;
  std::string aead;
  Instant now;
  std::vector<node::ConnectionStatus> connections;
  std::vector<node::RelayStatus> relays;
  std::map<std::string, std::uint64_t, std::less<>> counters;  // by dotted name
};

// One JSON document and a newline. Times are seconds since the event; a path's "rtt_ms" is null while unknown.
[[nodiscard]] std::string to_json(const NodeReport& report);

}  // namespace fireline::lab
