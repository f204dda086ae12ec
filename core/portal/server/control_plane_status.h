// Who is online, for status pages: values without secrets. Lifetime: values. Threads: any.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace fireline::portal {

struct OnlineDevice {
  std::string id;
  std::string owner;  // actor of a client, site of a gateway
  std::string name;
  std::string agent;  // "headless-client/1.5.5"
  std::string source;
  std::string public_key;
  std::string ipv4;
  std::string ipv6;
  std::uint64_t online_seconds = 0;
  std::uint64_t grants = 0;
};

struct OnlineRelay {
  std::string id;
  std::string name;
  std::vector<std::string> addresses;
  bool departing = false;  // its connection ended less than 3 s ago
};

struct ControlPlaneStatus {
  std::string account;
  std::vector<OnlineDevice> clients;
  std::vector<OnlineDevice> gateways;
  std::vector<OnlineRelay> relays;
  std::uint64_t connections = 0;  // with those that have not joined or were superseded
  std::uint64_t grants = 0;
  std::uint64_t pending_flows = 0;
  std::uint64_t sites = 0;
  std::uint64_t resources = 0;
  std::uint64_t actors = 0;
  std::uint64_t policies = 0;
};

}  // namespace fireline::portal
