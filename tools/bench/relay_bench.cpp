#include "tools/bench/relay_bench.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "tools/bench/rounds.h"

namespace fireline::bench {
namespace {

void report_round(const std::string& where, const RelaySeries& series) {
  const auto last = [&](RelayMeasure measure) {
    return series.values(measure).empty() ? std::string("-") : fmt::format("{:.2f}", series.values(measure).back());
  };
  progress(
      fmt::format("{} {}: singles {} us, trains {} / {} kpps {} us, a sender a core {} / {} kpps, round trip {} us, "
                  "Jain {} / {}, {} set-ups/s",
                  where, series.candidate().name, last(RelayMeasure::single_cpu), last(RelayMeasure::train_rate_up),
                  last(RelayMeasure::train_rate_down), last(RelayMeasure::train_cpu), last(RelayMeasure::cores_rate_up),
                  last(RelayMeasure::cores_rate_down), last(RelayMeasure::latency_p50), last(RelayMeasure::fairness_up),
                  last(RelayMeasure::fairness_down), last(RelayMeasure::setups)));
}

// A block for each number of allocations. They alternate round by round, as candidates do within a block: the ratio of
// two numbers is judged too.
std::vector<RelayBlock> measure_blocks(const RelayBenchOptions& options, Underlay underlay, std::size_t payload) {
  std::vector<RelayBlock> blocks;
  for (const std::size_t allocations : options.allocations) {
    RelayBlock& block = blocks.emplace_back(RelayBlock{underlay, payload, allocations, {}});
    for (const RelayCandidate& candidate : options.candidates) block.series.emplace_back(candidate);
  }
  const RelayLab lab(underlay);
  for (int round = 0; round <= options.rounds; ++round) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      RelayBlock& block = blocks[(i + static_cast<std::size_t>(round)) % blocks.size()];
      const std::string where = fmt::format("{} B, {} allocation(s), {}, round {}/{}{}", payload, block.allocations,
                                            name_of(underlay), round, options.rounds, round == 0 ? " (dropped)" : "");
      measure_round(
          block.series, round,
          [&](RelaySeries& series) { measure_relay(options, lab, payload, block.allocations, series); },
          [&](const RelaySeries& series) { report_round(where, series); });
    }
  }
  return blocks;
}

bool print_acceptance(const std::vector<RelayBlock>& blocks) {
  bool passed = true;
  bool judged = false;
  for (const RelayBlock& block : blocks) {
    for (const RelaySeries& series : block.series) {
      fmt::print("{}", acceptance_lines(block, series));
      for (const Judgement& one : judge(block, series)) {
        judged = true;
        if (one.verdict != Verdict::pass) passed = false;
      }
      if (!judge(block, series).empty() && !series.failures().empty()) passed = false;
    }
  }
  for (const Judgement& one : judge_flatness(blocks)) {
    fmt::print("{}\n", acceptance_line(one));
    if (one.verdict == Verdict::fail) passed = false;
  }
  if (!judged) fmt::print("\n--check: no fireline-relay among the candidates\n");
  return passed && judged;
}

}  // namespace

int run_relay_bench(const RelayBenchOptions& options) {
  const Machine machine = describe_machine();
  print_heading(options.command, machine);
  watch_interrupts();
  std::vector<RelayBlock> blocks;
  try {
    for (const Underlay underlay : options.underlays) {
      for (const std::size_t payload : options.payloads) {
        for (RelayBlock& block : measure_blocks(options, underlay, payload)) {
          fmt::print("{}", table(block));
          std::fflush(stdout);
          blocks.push_back(std::move(block));
        }
      }
    }
  } catch (const BenchError& error) {
    fmt::print(stderr, "fireline-bench: {}\n", error.what());
    return 1;
  }
  if (const auto written = write_report(options.files, relay_report(options, machine, blocks)); !written) {
    fmt::print(stderr, "fireline-bench: {}\n", written.error());
    return 1;
  }
  if (options.check && !print_acceptance(blocks)) return 2;
  return 0;
}

}  // namespace fireline::bench
