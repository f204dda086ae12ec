#include "core/node/candidate_signals.h"

#include <algorithm>
#include <utility>

#include "core/ice/candidate_text.h"

namespace fireline::node {
namespace {

using Candidates = std::vector<ice::Candidate>;

void put(Candidates& into, Candidates& out_of, const ice::Candidate& candidate) {
  if (candidate.kind == ice::CandidateKind::peer_reflexive) return;
  const auto is_it = [&](const ice::Candidate& other) { return ice::is_same_announcement(other, candidate); };
  std::erase_if(out_of, is_it);
  if (std::ranges::any_of(into, is_it)) return;
  if (into.size() == kSignalsMax) into.erase(into.begin());
  into.push_back(candidate);
}

std::vector<std::string> take(Candidates& from, std::string_view ufrag) {
  std::ranges::sort(from, [](const ice::Candidate& a, const ice::Candidate& b) {
    return std::pair(b.priority, a.address) < std::pair(a.priority, b.address);
  });
  std::vector<std::string> texts;
  texts.reserve(from.size());
  for (const auto& candidate : from) texts.push_back(ice::candidate_text(candidate, ufrag));
  from = {};  // gives the memory back: thousands of connections have told everything
  return texts;
}

}  // namespace

void CandidateSignals::gathered(const ice::Candidate& candidate) {
  put(gathered_, invalidated_, candidate);
}

void CandidateSignals::invalidated(const ice::Candidate& candidate) {
  put(invalidated_, gathered_, candidate);
}

std::vector<std::string> CandidateSignals::take_gathered(std::string_view ufrag) {
  return take(gathered_, ufrag);
}

std::vector<std::string> CandidateSignals::take_invalidated(std::string_view ufrag) {
  return take(invalidated_, ufrag);
}

}  // namespace fireline::node
