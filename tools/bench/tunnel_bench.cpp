#include "tools/bench/tunnel_bench.h"

#include <fmt/format.h>

#include <cstdio>

#include "tools/bench/report.h"
#include "tools/bench/rounds.h"

namespace fireline::bench {
namespace {

Block measure_block(const TunnelBenchOptions& options, Underlay underlay, int mtu) {
  Block block{underlay, mtu, {}, {}};
  for (const Candidate& candidate : options.candidates) block.series.emplace_back(candidate);
  const NamespacePair lab(underlay);
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

// The first fireline candidate decides; other thread modes are context.
bool print_acceptance(const std::vector<Block>& blocks) {
  bool passed = true;
  bool judged = false;
  for (const Block& block : blocks) {
    bool first = true;
    for (const Series& series : block.series) {
      if (!series.candidate().fireline) continue;
      fmt::print("{}", acceptance_lines(block, series));
      for (const Judgement& one : judge(block, series)) {
        if (first && one.verdict != Verdict::pass) passed = false;
      }
      if (first && !series.failures().empty()) passed = false;
      first = false;
      judged = true;
    }
  }
  if (!judged) fmt::print("\n--check: no fireline-wg among the candidates\n");
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
  if (!options.json_path.empty()) {
    if (const auto written = write_file(options.json_path, json_report(options, machine, blocks)); !written) {
      fmt::print(stderr, "fireline-bench: {}\n", written.error());
      return 1;
    }
  }
  if (options.check && !print_acceptance(blocks)) return 2;
  return 0;
}

}  // namespace fireline::bench
