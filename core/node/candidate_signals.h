// What one connection has to tell its peer about our candidates: gathered and invalidated ones that were not fetched
// yet. What is invalidated before it was fetched is never announced; what comes back before is never invalidated.
// Peer-reflexive candidates are not told. Lifetime: value. Threads: one owner. Limits: kSignalsMax of each.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/ice/candidate.h"
#include "core/ice/local_candidates.h"

namespace fireline::node {

// Twice what an agent keeps: all of its candidates, and as many that took their places since the last fetch. Beyond it
// the oldest goes.
inline constexpr std::size_t kSignalsMax = 2 * ice::kLocalCandidatesMax;

class CandidateSignals {
 public:
  void gathered(const ice::Candidate& candidate);
  void invalidated(const ice::Candidate& candidate);

  [[nodiscard]] bool any_gathered() const noexcept { return !gathered_.empty(); }
  [[nodiscard]] bool any_invalidated() const noexcept { return !invalidated_.empty(); }
  // As text, by descending priority; candidates of equal priority are all there.
  [[nodiscard]] std::vector<std::string> take_gathered(std::string_view ufrag);
  [[nodiscard]] std::vector<std::string> take_invalidated(std::string_view ufrag);

 private:
  std::vector<ice::Candidate> gathered_;
  std::vector<ice::Candidate> invalidated_;
};

}  // namespace fireline::node
