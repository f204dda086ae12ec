#include "tools/bench/tunnel_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/bench/report.h"
#include "tools/bench/rounds.h"

namespace fireline::bench {
namespace {

Block measure_block(const TunnelBenchOptions& options, Underlay underlay, int mtu) {
  Block block{underlay, mtu, {}, {}};
  for (const Candidate& candidate : options.candidates) block.series.emplace_back(candidate);
  const bool relay = std::ranges::any_of(options.candidates, &Candidate::is_node);
  const NamespacePair lab(underlay, relay ? Joint::bridge : Joint::cable);
  const int rounds = options.rounds + 1;  // the first is dropped
  for (int round = 0; round < rounds; ++round) {
    const bool dropped = round == 0;
    if (options.udp) {
      GeneratorSeries unused;
      measure_generators(lab, mtu, dropped ? unused : block.generators);
    }
    measure_round(
        block.series, round, [&](Series& series) { measure_candidate(options, lab, mtu, series); },
        [&](const Series& series) {
          const auto last = [&](Measure measure) {
            return series.values(measure).empty() ? std::string("-")
                                                  : fmt::format("{:.2f}", series.values(measure).back());
          };
          progress(fmt::format(
              "mtu {} {} round {}/{}{} {}: TCP {} / {} / {} Gbit/s, UDP flood {}, single {}, ping {} ms", mtu,
              name_of(underlay), round, options.rounds, dropped ? " (dropped)" : "", series.candidate().label(),
              last(Measure::tcp_one), last(Measure::tcp_four), last(Measure::tcp_reverse), last(Measure::flood_goodput),
              last(Measure::single_goodput), last(Measure::ping_idle_average)));
        });
  }
  return block;
}

// Of fireline-wg's the first candidate decides, other thread modes are context; each node decides.
bool print_acceptance(const std::vector<Block>& blocks) {
  bool passed = true;
  bool judged = false;
  for (const Block& block : blocks) {
    bool first = true;
    for (const Series& series : block.series) {
      const bool node = series.candidate().is_node();
      if (!series.candidate().fireline && !node) continue;
      fmt::print("{}", acceptance_lines(block, series));
      const bool decides = node || first;
      for (const Judgement& one : judge(block, series)) {
        if (decides && one.verdict != Verdict::pass) passed = false;
      }
      if (decides && !series.failures().empty()) passed = false;
      if (!node) first = false;
      judged = true;
    }
  }
  if (!judged) fmt::print("\n--check: neither fireline-wg nor a node among the candidates\n");
  return passed && judged;
}

}  // namespace

int run_tunnel_bench(const TunnelBenchOptions& options) {
  const Machine machine = describe_machine();
  print_heading(options.command, machine);
  watch_interrupts();
  std::vector<Block> blocks;
  try {
    for (const Underlay underlay : options.underlays) {
      for (const int mtu : options.mtus) {
        blocks.push_back(measure_block(options, underlay, mtu));
        fmt::print("{}", table(blocks.back()));
        std::fflush(stdout);
      }
    }
  } catch (const BenchError& error) {
    fmt::print(stderr, "fireline-bench: {}\n", error.what());
    return 1;
  }
  if (const auto written = write_report(options.files, tunnel_report(options, machine, blocks)); !written) {
    fmt::print(stderr, "fireline-bench: {}\n", written.error());
    return 1;
  }
  if (options.check && !print_acceptance(blocks)) return 2;
  return 0;
}

}  // namespace fireline::bench
