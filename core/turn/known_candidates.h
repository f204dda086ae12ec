// What one relay has told us about our addresses: a host address and a server-reflexive one per family, and the relayed
// ones. Changes become events; a new value is announced before the old one is invalidated.
// One of each kind and family: a symmetric NAT would make hundreds otherwise.
// Lifetime: owned by an allocation. Threads: one. No allocation.
#pragma once
#include <array>
#include <optional>

#include "core/turn/event.h"
#include "core/turn/event_queue.h"

namespace fireline::turn {

// Whether an address can be a candidate: nothing unspecified, multicast, broadcast or IPv4 link-local, and a port.
[[nodiscard]] bool can_be_candidate(const Endpoint& endpoint) noexcept;

class KnownCandidates {
 public:
  // A Binding answer of the server of that family arrived on `local`; `mapped` is what the server saw, if it said so.
  // True when the server sees us under another address than before.
  bool learn(Family server, const Endpoint& local, const std::optional<Endpoint>& mapped, EventQueue& events);
  // The relayed address of that family, which must be valid.
  void add_relayed(Family server, const Endpoint& relayed, EventQueue& events);
  void invalidate_relayed(EventQueue& events);

  // Base and address of the relayed candidate of that family.
  [[nodiscard]] std::optional<Endpoint> relayed(Family family) const noexcept;
  [[nodiscard]] bool has_relayed() const noexcept { return relayed_[0].has_value() || relayed_[1].has_value(); }

  // visit(const Candidate&) for each: host, server-reflexive, relayed.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Slots* slots : {&host_, &server_reflexive_, &relayed_}) {
      for (const auto& slot : *slots) {
        if (slot) visit(*slot);
      }
    }
  }

 private:
  using Slots = std::array<std::optional<Candidate>, 2>;  // by family

  static void replace(std::optional<Candidate>& slot, const Candidate& candidate, EventQueue& events);

  Slots host_;              // by the local address's family
  Slots server_reflexive_;  // by the server's family
  Slots relayed_;           // by the relayed address's family
};

}  // namespace fireline::turn
