// A NAT, or a stateful firewall when it does not translate: which outside endpoint an inside one gets (mapping), who
// may send back to it (filtering), for how long, and whether its own outside address can be reached from inside.
// Source: RFC 4787 sections 4 (mapping, ports), 4.3 (expiry), 5 (filtering), 6 (hairpin). A filter belongs to a
// mapping. Lifetime: a value. Threads: one. Limits: kMappingsMax.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "tests/sim/dice.h"

namespace fireline::sim {

// On what of the destination (mapping) or source (filtering) it depends.
enum class Dependence : std::uint8_t { endpoint_independent, address_dependent, address_and_port_dependent };

enum class PortRule : std::uint8_t {
  preserving,  // the inside port while it is free outside, else a random one
  random,
  identity,  // no translation: a firewall
};

struct NatOptions {
  Dependence mapping = Dependence::endpoint_independent;
  Dependence filtering = Dependence::address_and_port_dependent;
  PortRule ports = PortRule::random;
  bool hairpin = false;
  bool inbound_refreshes = false;               // RFC 4787 REQ-6 allows both
  Duration expiry = std::chrono::seconds(120);  // of mappings and of filter entries
  // As Linux's does when the first datagram to a peer meets one from there that it is about to let in: it leaves from a
  // port of its own, which leads back inside for kStrayTime. All that follows takes the mapping.
  bool strays = false;

  [[nodiscard]] std::string describe() const;
};

// More than a simulated site needs; a real table has a limit as well.
inline constexpr std::size_t kMappingsMax = 4096;

// nf_ct_resolve_clash_harder() of the kernel. It takes microseconds for two datagrams to miss each other; longer here,
// so that it happens at all.
inline constexpr Duration kStrayTime = std::chrono::seconds(1);
inline constexpr Duration kCrossing = std::chrono::milliseconds(5);

class Nat {
 public:
  // `outside` is unused with PortRule::identity.
  Nat(const NatOptions& options, const IpAddress& outside, Dice dice)
      : options_(options), outside_(outside), dice_(dice) {}

  // The source that the destination sees. Empty: the table is full.
  [[nodiscard]] std::optional<Endpoint> outbound(Instant now, const Endpoint& inside, const Endpoint& destination);

  enum class Refusal : std::uint8_t { none, no_mapping, filtered };
  struct Inbound {
    Refusal refusal = Refusal::none;
    Endpoint inside;
  };
  [[nodiscard]] Inbound inbound(Instant now, const Endpoint& outside, const Endpoint& source);

  // Whether the outside endpoint is mapped to that inside one now; changes nothing.
  [[nodiscard]] bool maps(Instant now, const Endpoint& outside, const Endpoint& inside) const;

  // Forgets everything, as a restart does.
  void reboot() noexcept { mappings_.clear(), by_outside_.clear(), strays_.clear(); }

  [[nodiscard]] const NatOptions& options() const noexcept { return options_; }
  [[nodiscard]] const IpAddress& outside() const noexcept { return outside_; }
  [[nodiscard]] std::size_t size() const noexcept { return mappings_.size(); }

 private:
  // Inside endpoint, and as much of the destination as the mapping depends on.
  using MappingKey = std::tuple<Endpoint, IpAddress, std::uint16_t>;
  struct Mapping {
    Endpoint inside;
    Endpoint outside;
    Instant used;
    std::map<Endpoint, Instant> contacted;  // destination, or its address with port 0 → last time
    std::map<Endpoint, Instant> callers;    // NatOptions::strays: who came in before anything went there
  };
  struct Stray {
    Endpoint inside;
    Endpoint peer;
    Instant end;
  };

  [[nodiscard]] bool is_live(Instant now, Instant used) const noexcept { return now < used + options_.expiry; }
  [[nodiscard]] std::optional<Endpoint> choose_outside(Instant now, const Endpoint& inside);
  [[nodiscard]] bool is_free(Instant now, const Endpoint& outside);
  void remove_expired(Instant now);
  // Where the datagram leaves from instead.
  [[nodiscard]] std::optional<Endpoint> stray(Instant now, Mapping& mapping, const Endpoint& destination);

  NatOptions options_;
  IpAddress outside_;
  Dice dice_;
  std::map<MappingKey, Mapping> mappings_;
  std::map<Endpoint, MappingKey> by_outside_;
  std::map<Endpoint, Stray> strays_;
};

}  // namespace fireline::sim
