// Priorities of candidates, of checks and of pairs. Source: RFC 8445 sections 5.1.2.1, 6.1.2.3 and 7.1.1; the type
// preference of relayed candidates and the local preferences are the Firezone baseline's, and both ends must agree on
// their order. Constants and pure functions. Threads: any.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/base/endpoint.h"
#include "core/ice/candidate.h"

namespace fireline::ice {

enum class Role : std::uint8_t { controlling, controlled };  // the client's and the gateway's; never changes

[[nodiscard]] constexpr std::uint32_t type_preference(CandidateKind kind) noexcept {
  switch (kind) {
    case CandidateKind::host:
      return 126;
    case CandidateKind::peer_reflexive:
      return 110;
    case CandidateKind::server_reflexive:
      return 100;
    case CandidateKind::relayed:
      return 2;
  }
  return 0;
}

// A relayed address of the family that the relay is not spoken to in takes the relay's slow path.
inline constexpr std::uint32_t kCrossedFamiliesPenalty = 1000;

// `earlier`: local candidates of the same kind and family that the agent ever had, discarded ones included.
// Never below 0: an agent that outlives some ten thousand relayed addresses gives the rest the same preference.
[[nodiscard]] constexpr std::uint32_t local_preference(CandidateKind kind, Family family, std::uint32_t earlier,
                                                       bool crosses_families) noexcept {
  std::uint32_t start = 65535;
  if (kind == CandidateKind::peer_reflexive) start = 49151;
  if (kind == CandidateKind::server_reflexive) start = 32767;
  if (kind == CandidateKind::relayed) start = 16383;
  const std::uint64_t less =
      std::uint64_t{2} * earlier + (family == Family::v4 ? 1u : 0u) + (crosses_families ? kCrossedFamiliesPenalty : 0u);
  return less >= start ? 0 : start - static_cast<std::uint32_t>(less);
}

// Of candidates that are signalled but never paired on our side, and of those that we make up for the peer.
[[nodiscard]] constexpr std::uint32_t default_local_preference(Family family) noexcept {
  return family == Family::v4 ? 65534 : 65535;
}

// Component 1 makes the low byte 255.
[[nodiscard]] constexpr std::uint32_t candidate_priority(CandidateKind kind, std::uint32_t local_preference) noexcept {
  return type_preference(kind) << 24 | local_preference << 8 | 255;
}

// The PRIORITY attribute of a check sent from a candidate of this priority: what a peer reflexive one would have.
[[nodiscard]] constexpr std::uint32_t check_priority(std::uint32_t candidate_priority) noexcept {
  return type_preference(CandidateKind::peer_reflexive) << 24 | (candidate_priority & 0xFFFFFF);
}

[[nodiscard]] constexpr std::uint64_t pair_priority(std::uint32_t controlling, std::uint32_t controlled) noexcept {
  return (std::uint64_t{std::min(controlling, controlled)} << 32) +
         2 * std::uint64_t{std::max(controlling, controlled)} + (controlling > controlled ? 1 : 0);
}

}  // namespace fireline::ice
