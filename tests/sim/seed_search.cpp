#include "tests/sim/seed_search.h"

#include <algorithm>
#include <fstream>
#include <utility>

namespace fireline::sim {
namespace {

std::string seconds(Instant time) {
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(time - kBootStart).count();
  return std::to_string(elapsed / 1000) + "." + std::to_string(1000 + elapsed % 1000).substr(1) + " s";
}

std::string sentence(const Violation& violation) {
  return "violates \"" + violation.invariant + "\" at " + seconds(violation.time) + ": " + violation.text;
}

}  // namespace

std::vector<std::uint64_t> kept_seeds(const std::string& file) {
  std::vector<std::uint64_t> seeds;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.front() != '#') seeds.push_back(std::stoull(line));
  }
  return seeds;
}

bool SeedSearch::run(std::uint64_t seed) {
  const Scenario scenario = Scenario::draw(seed, options_.length_max);
  const RunResult result = World(scenario, {}).run();
  ++result_.runs;
  add(result.statistics);
  if (!result.violation) return true;
  report(scenario, *result.violation);
  return false;
}

bool SeedSearch::trace(std::uint64_t seed) {
  const Scenario scenario = Scenario::draw(seed, options_.length_max);
  print_(scenario.describe());
  const RunResult result = World(scenario, print_).run();
  ++result_.runs;
  add(result.statistics);
  if (!result.violation) return true;
  print_(sentence(*result.violation));
  result_.findings.push_back({seed, *result.violation});
  return false;
}

void SeedSearch::report(const Scenario& scenario, const Violation& violation) {
  result_.findings.push_back({scenario.seed, violation});
  print_("seed " + std::to_string(scenario.seed) + " " + sentence(violation));
  Violation last = violation;
  const Scenario least = options_.shrink ? shrink(scenario, last) : scenario;
  if (options_.shrink) print_("the least that does so too: " + sentence(last));
  print_(least.describe());
  keep(scenario.seed, violation);
}

// Ends soon after the violation, then without one action or talk after the other, as long as the same invariant fails.
Scenario SeedSearch::shrink(Scenario scenario, Violation& violation) const {
  unsigned runs = 0;
  const auto still_fails = [&](const Scenario& candidate) {
    if (++runs > kShrinkRunsMax) return false;
    const RunResult result = World(candidate, {}).run();
    if (!result.violation || result.violation->invariant != violation.invariant) return false;
    violation = *result.violation;
    return true;
  };
  const auto try_without = [&](auto&& list_of) {
    for (std::size_t i = list_of(scenario).size(); i-- > 0;) {
      Scenario candidate = scenario;
      list_of(candidate).erase(list_of(candidate).begin() + static_cast<std::ptrdiff_t>(i));
      if (still_fails(candidate)) scenario = std::move(candidate);
    }
  };
  Scenario shorter = scenario;
  shorter.length = std::min(scenario.length, violation.time - kBootStart + std::chrono::seconds(1));
  std::erase_if(shorter.actions, [&](const Action& action) { return action.time > shorter.length; });
  for (PairSpec& pair : shorter.pairs) {
    std::erase_if(pair.talks, [&](const Talk& talk) { return talk.start > shorter.length; });
  }
  if (still_fails(shorter)) scenario = std::move(shorter);
  try_without([](Scenario& each) -> auto& { return each.actions; });
  for (std::size_t pair = 0; pair < scenario.pairs.size(); ++pair) {
    try_without([pair](Scenario& each) -> auto& { return each.pairs[pair].talks; });
  }
  return scenario;
}

void SeedSearch::keep(std::uint64_t seed, const Violation& violation) const {
  if (options_.kept_file.empty() || std::ranges::count(kept_seeds(options_.kept_file), seed) != 0) return;
  std::ofstream stream(options_.kept_file, std::ios::app);
  stream << seed << "  " << violation.invariant << ": " << violation.text << "\n";
}

void SeedSearch::add(const RunStatistics& statistics) noexcept {
  RunStatistics& total = result_.total;
  total.simulated += statistics.simulated;
  total.datagrams += statistics.datagrams;
  total.payloads_sent += statistics.payloads_sent;
  total.payloads_delivered += statistics.payloads_delivered;
  total.payloads_due += statistics.payloads_due;
  total.connections += statistics.connections;
  total.longest_recovery = std::max(total.longest_recovery, statistics.longest_recovery);
}

}  // namespace fireline::sim
