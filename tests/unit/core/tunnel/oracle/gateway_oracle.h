// What a gateway must do with a packet, written from the text of tunnel specification 5.1 to 5.4 and sharing nothing
// with the code under test but the values of policy and portal: addresses are compared bit by bit, filters one by one,
// and every question goes through all grants.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/policy/resource.h"
#include "core/portal/gateway_messages.h"

namespace fireline::tunnel::oracle {

// An address of the test's world, with what the specification says about it, by hand.
struct Address {
  const char* text;
  enum Kind : std::uint8_t {
    unicast_public,  // what the Internet resource reaches
    unicast_local,   // private, loopback, link-local, metadata, CGNAT, reserved, or the gateway host's own
    no_host,         // multicast, broadcast, unspecified: no ICMP error goes to or is about it
    multicast,
    own,     // the gateway's tunnel address
    tunnel,  // in the tunnel ranges
    proxy,   // in the proxy ranges
  } kind;

  [[nodiscard]] bool is_v6() const { return std::string(text).find(':') != std::string::npos; }
};

enum class Shape : std::uint8_t {
  good,
  fragment,
  later_fragment,
  cut_transport,
  too_long,
  with_options,
  source_routed
};

// A packet as its sender meant it.
struct Meaning {
  Address source;
  Address destination;
  std::uint8_t protocol = 6;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t icmp_type = 0;
  Shape shape = Shape::good;
};

enum class Answer : std::uint8_t { none, prohibited, network };

struct Expected {
  bool forwarded = false;
  Answer answer = Answer::none;
  friend bool operator==(const Expected&, const Expected&) = default;
};

class GatewayOracle {
 public:
  void authorize(const portal::AuthorizeFlow& flow);
  void reject(const Uuid& client, const Uuid& resource);
  void update_expiry(const Uuid& client, const Uuid& resource, portal::Timestamp expires_at);
  void update_resource(const policy::GatewayResource& resource);
  void init(const std::vector<portal::Authorization>& authorizations);
  void set_connected(const Uuid& client, bool connected);
  // What has expired never comes back, whatever the clock does.
  void forget_expired(UnixTime wall);

  [[nodiscard]] Expected from_client(UnixTime wall, const Uuid& client, const Meaning& packet) const;
  [[nodiscard]] bool to_client(UnixTime wall, const Meaning& packet) const;

 private:
  struct Held {
    policy::GatewayResource resource;
    std::optional<portal::Timestamp> expires_at;
  };
  struct Client {
    std::string ipv4;
    std::string ipv6;
    bool connected = true;
    std::map<Uuid, Held> held;
  };

  [[nodiscard]] static bool is_live(const Held& held, UnixTime wall);
  [[nodiscard]] std::vector<policy::GatewayResource> live(const Client& client, UnixTime wall) const;

  std::map<Uuid, Client> clients_;
};

}  // namespace fireline::tunnel::oracle
