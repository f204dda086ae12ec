// What `fireline-bench relay` measures, and the figures of one block (one underlay, payload and number of allocations):
// per candidate and measure one value a round. Pure.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/acceptance.h"
#include "tools/bench/relay_candidate.h"
#include "tools/bench/statistics.h"

namespace fireline::bench {

enum class RelayMeasure : std::uint8_t {
  single_cpu,
  single_busy,
  single_loss,
  single_flood_up,
  single_flood_down,
  train_rate_up,
  train_rate_down,
  train_cpu,
  train_busy,
  cores_rate_up,
  cores_rate_down,
  cores_busy,
  latency_p50,
  latency_p99,
  fairness_up,
  fairness_down,
  overload_carried,
  overload_factor,
  setups,
  setup_cpu,
  reorders,
  duplicates,
  count_
};
inline constexpr std::size_t kRelayMeasures = static_cast<std::size_t>(RelayMeasure::count_);

struct RelayMeasureText {
  std::string_view key;    // in JSON
  std::string_view title;  // in the table
  int digits = 2;
  bool ratio = false;    // the table shows the ratio to coturn
  bool is_rate = false;  // a claim that the generator must be able to make twice over
};
[[nodiscard]] const RelayMeasureText& text_of(RelayMeasure measure);

class RelaySeries {
 public:
  explicit RelaySeries(RelayCandidate candidate) : candidate_(std::move(candidate)) {}

  void add(RelayMeasure measure, double value) { values_[static_cast<std::size_t>(measure)].push_back(value); }
  void add_failure(std::string sentence) { failures_.push_back(std::move(sentence)); }

  [[nodiscard]] const RelayCandidate& candidate() const noexcept { return candidate_; }
  [[nodiscard]] const std::vector<double>& values(RelayMeasure measure) const {
    return values_[static_cast<std::size_t>(measure)];
  }
  [[nodiscard]] std::optional<double> median(RelayMeasure measure) const;
  [[nodiscard]] const std::vector<std::string>& failures() const noexcept { return failures_; }

 private:
  RelayCandidate candidate_;
  std::array<std::vector<double>, kRelayMeasures> values_;
  std::vector<std::string> failures_;
};

struct RelayBlock {
  Underlay underlay = Underlay::plain;
  std::size_t payload_bytes = 0;
  std::size_t allocations = 0;
  std::vector<RelaySeries> series;

  [[nodiscard]] const RelaySeries* find(RelayCandidate::Kind kind) const;
};

// Of single datagrams for CPU per packet: in both directions one after the other.
inline constexpr double kFixedRate = 80'000;  // datagrams per second
// At most, of trains for CPU per packet: the lab forwards twice as many in software-gso, too.
inline constexpr double kTrainCpuRate = 300'000;
// Kernel forwarding in place of the relay must give this much more than a rate that is claimed; else generator and lab
// were measured and not the relay.
inline constexpr double kForwardingMargin = 2;
// Rounds that a judgement needs.
inline constexpr std::size_t kJudgedRounds = 9;

// Why no ratio may be given; empty: it may. CPU per packet rests on the fixed
// rate, or on the candidate's train rates up to kTrainCpuRate.
[[nodiscard]] std::optional<std::string> refuse_ratio(const RelayBlock& block, RelayMeasure measure,
                                                      const RelaySeries& series);
// Median of the series over coturn's median, where both exist and nothing is refused.
[[nodiscard]] std::optional<double> ratio_to_coturn(const RelayBlock& block, RelayMeasure measure,
                                                    const RelaySeries& series);

// That the cost of a packet does not depend on the number of allocations: fireline's CPU per packet at the largest
// number over that at the smallest, one judgement for each measure, underlay and payload that has two numbers.
[[nodiscard]] std::vector<Judgement> judge_flatness(std::span<const RelayBlock> blocks);

// One judgement per threshold; of a rate, forwarding has to be kForwardingMargin times coturn's, and where the
// threshold is missed, kForwardingMargin times that. Only thresholds that hold for this kind of candidate; none for
// coturn and forwarding.
[[nodiscard]] std::vector<Judgement> judge(const RelayBlock& block, const RelaySeries& series);

}  // namespace fireline::bench
