#include "tools/bench/tunnel_bench.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>

#include "tools/bench/acceptance.h"
#include "tools/bench/report.h"

namespace fireline::bench {
namespace {

void progress(const std::string& text) {
  fmt::print(stderr, "{}\n", text);
  std::fflush(stderr);
}

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
    for (std::size_t i = 0; i < block.series.size(); ++i) {
      // Each round begins with another candidate: nobody always follows the same neighbour from a cold start.
      Series& series = block.series[(i + static_cast<std::size_t>(round)) % block.series.size()];
      check_interrupt();
      Series scratch(series.candidate());
      Series& target = dropped ? scratch : series;
      const std::size_t failures = target.failures().size();
      try {
        measure_candidate(options, lab, mtu, target);
      } catch (const Interrupted&) {
        throw;
      } catch (const BenchError& error) {
        // Who cannot start in the first round will not start later either.
        if (dropped) throw;
        target.add_failure(error.what());
      }
      const auto last = [&](Measure measure) {
        return target.values(measure).empty() ? std::string("-") : fmt::format("{:.2f}", target.values(measure).back());
      };
      progress(fmt::format("mtu {} {} round {}/{}{} {}: TCP {} / {} / {} Gbit/s, UDP flood {}, single {}, ping {} ms",
                           mtu, name_of(underlay), round, options.rounds, dropped ? " (dropped)" : "",
                           series.candidate().label(), last(Measure::tcp_one), last(Measure::tcp_four),
                           last(Measure::tcp_reverse), last(Measure::flood_goodput), last(Measure::single_goodput),
                           last(Measure::ping_idle_average)));
      for (std::size_t f = failures; f < target.failures().size(); ++f) progress("  failed: " + target.failures()[f]);
    }
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
  fmt::print("{}\n{} cores, {}, Linux {}, load average {:.2f}\n", options.command, machine.cores, machine.cpu,
             machine.kernel, machine.load);
  std::fflush(stdout);
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
    std::ofstream file(options.json_path);
    file << json_report(options, machine, blocks);
    if (!file.flush()) {
      fmt::print(stderr, "fireline-bench: cannot write {}\n", options.json_path);
      return 1;
    }
  }
  if (options.check && !print_acceptance(blocks)) return 2;
  return 0;
}

}  // namespace fireline::bench
