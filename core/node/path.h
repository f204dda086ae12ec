// What a nominated path is called and where a candidate of ours came from: the small translations between relays, ICE
// and status. Pure functions. Threads: any.
#pragma once
#include <algorithm>
#include <optional>

#include "core/ice/agent.h"
#include "core/ice/candidate.h"
#include "core/node/node_event.h"
#include "core/turn/event.h"

namespace fireline::node {

// The worse of the two ends.
[[nodiscard]] constexpr PathKind kind_of(const ice::Path& path) noexcept {
  const auto of_end = [](ice::CandidateKind kind) {
    if (kind == ice::CandidateKind::host) return PathKind::host;
    return kind == ice::CandidateKind::relayed ? PathKind::relayed : PathKind::reflexive;
  };
  return std::max(of_end(path.source_kind), of_end(path.destination_kind));
}

// Empty: its address cannot be a candidate.
[[nodiscard]] inline std::optional<ice::Candidate> to_ice(const turn::Candidate& candidate) noexcept {
  const auto made = [&] {
    switch (candidate.kind) {
      case turn::CandidateKind::host:
        return ice::Candidate::host(candidate.address);
      case turn::CandidateKind::server_reflexive:
        return ice::Candidate::server_reflexive(candidate.address, candidate.base);
      case turn::CandidateKind::relayed:
        break;
    }
    return ice::Candidate::relayed(candidate.address, candidate.server_family);
  }();
  if (!made) return std::nullopt;
  return *made;
}

}  // namespace fireline::node
