// Runs seeds, tells a failing one in words, takes out of it what the failure does not need, and keeps it in a file that
// is replayed first. The file has one seed per line; what follows the number is for people.
// Threads: one.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/scenario.h"
#include "tests/sim/world.h"

namespace fireline::sim {

inline constexpr Duration kScenarioMax = std::chrono::hours(1);
// Runs that shrinking may cost: a scenario has at most a few dozen actions and talks.
inline constexpr unsigned kShrinkRunsMax = 150;

struct SearchOptions {
  Duration length_max = kScenarioMax;
  bool shrink = true;
  std::string kept_file;  // empty: nothing is replayed or kept
};

struct Finding {
  std::uint64_t seed = 0;
  Violation violation;
};

struct SearchResult {
  std::uint64_t runs = 0;
  RunStatistics total;  // longest_recovery: of all
  std::vector<Finding> findings;
};

// Called with each line of the report.
using Print = std::function<void(const std::string&)>;

[[nodiscard]] std::vector<std::uint64_t> kept_seeds(const std::string& file);

class SeedSearch {
 public:
  SeedSearch(SearchOptions options, Print print) : options_(std::move(options)), print_(std::move(print)) {}

  // False: the seed violates an invariant.
  bool run(std::uint64_t seed);
  // The same with a line for everything that happens.
  bool trace(std::uint64_t seed);
  [[nodiscard]] const SearchResult& result() const noexcept { return result_; }

 private:
  void report(const Scenario& scenario, const Violation& violation);
  [[nodiscard]] Scenario shrink(Scenario scenario, Violation& violation) const;
  void keep(std::uint64_t seed, const Violation& violation) const;
  void add(const RunStatistics& statistics) noexcept;

  SearchOptions options_;
  Print print_;
  SearchResult result_;
};

}  // namespace fireline::sim
