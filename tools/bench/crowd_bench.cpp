#include "tools/bench/crowd_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "tools/bench/crowd_world.h"
#include "tools/bench/process.h"
#include "tools/bench/report_parts.h"

namespace fireline::bench {
namespace {

using nlohmann::ordered_json;

constexpr double kRatioMax = 1.10;  // of issue and design
constexpr std::size_t kPacketsPerRound = 20'000;
constexpr std::size_t kInnerBytes = 1280;
constexpr std::size_t kColumnWidth = 26;

// What is in flight at once. The packets of a burst are of as many peers, or all of the one that is the yardstick.
struct Shape {
  std::string_view name;
  std::size_t peers;
  std::size_t packets;  // of each
  bool up;              // from the peers to the TUN, or back
  bool apart;           // none joins another one: system calls are as many, however many peers there are
};
// Up and down take turns: each ends the timers that the other began. Of one flow, the packets of one peer leave in one
// call and those of 64 peers in 64: shown, and not judged.
constexpr std::array<Shape, 8> kShapes{{{"4 trains of 32, received", 4, 32, true, true},
                                        {"4 trains of 32, sent", 4, 32, false, true},
                                        {"64 at once, received", 64, 1, true, true},
                                        {"64 at once, sent", 64, 1, false, true},
                                        {"one alone, received", 1, 1, true, true},
                                        {"one alone, sent", 1, 1, false, true},
                                        {"64 of a flow, received", 64, 1, true, false},
                                        {"64 of a flow, sent", 64, 1, false, false}}};

struct CrowdSeries {
  std::size_t peers = 0;  // that take turns
  std::size_t next = 0;   // whose turn it is
  std::array<std::vector<double>, kShapes.size()> nanoseconds;
};
using CrowdPair = std::array<CrowdSeries, 2>;

double measure_shape(CrowdWorld& world, CrowdSeries& series, const Shape& shape) {
  const std::size_t bursts = std::max(kPacketsPerRound / shape.packets, series.peers) / shape.peers;
  std::vector<std::size_t> turn(shape.peers);
  const double start = world.program_nanoseconds();
  for (std::size_t i = 0; i < bursts; ++i) {
    for (std::size_t& peer : turn) peer = series.next++ % series.peers;
    const CrowdWorld::Burst burst{.peers = turn, .count = shape.packets, .bytes = kInnerBytes, .apart = shape.apart};
    shape.up ? world.send_up(burst) : world.send_down(burst);
  }
  return (world.program_nanoseconds() - start) / static_cast<double>(bursts * shape.peers * shape.packets);
}

CrowdPair measure(const CrowdBenchOptions& options) {
  progress(fmt::format("{} peers shake hands", options.peers));
  CrowdWorld world(options.program, options.peers);
  CrowdPair pair;
  pair[0].peers = 1;
  pair[1].peers = options.peers;
  for (int round = 0; round <= options.rounds; ++round) {
    progress(fmt::format("round {} of {}", round, options.rounds));
    for (std::size_t s = 0; s < kShapes.size(); ++s) {
      for (std::size_t i = 0; i < pair.size(); ++i) {
        check_interrupt();
        CrowdSeries& series = pair[(i + static_cast<std::size_t>(round)) % pair.size()];
        const double figure = measure_shape(world, series, kShapes[s]);
        if (round > 0) series.nanoseconds[s].push_back(figure);
      }
    }
    if (world.age() > kCrowdLasts) throw BenchError("the sessions are too old: ask for fewer rounds or peers");
  }
  return pair;
}

double ratio(const CrowdPair& pair, std::size_t shape) {
  return summarize(pair[1].nanoseconds[shape])->median / summarize(pair[0].nanoseconds[shape])->median;
}

std::vector<Judgement> judge_pair(const CrowdPair& pair) {
  std::vector<Judgement> judgements;
  for (std::size_t s = 0; s < kShapes.size(); ++s) {
    if (!kShapes[s].apart) continue;
    judgements.push_back({ratio(pair, s) <= kRatioMax ? Verdict::pass : Verdict::fail,
                          fmt::format("{}, {} peers <= {:.2f} of one", kShapes[s].name, pair[1].peers, kRatioMax),
                          fmt::format("{:.2f}", ratio(pair, s))});
  }
  return judgements;
}

void print(const CrowdPair& pair) {
  std::printf("CPU nanoseconds of fireline-wg for a packet of %zu bytes, all in, by peers: median (low-high)\n",
              kInnerBytes);
  const std::vector<std::string> labels{"one", fmt::format("{} take turns", pair[1].peers)};
  std::fputs(heading_line(labels, kColumnWidth).c_str(), stdout);
  for (std::size_t s = 0; s < kShapes.size(); ++s) {
    const std::vector<std::string> cells{cell(summarize(pair[0].nanoseconds[s]), 0, std::nullopt),
                                         cell(summarize(pair[1].nanoseconds[s]), 0, ratio(pair, s))};
    std::fputs(table_line(kShapes[s].name, cells, kColumnWidth).c_str(), stdout);
  }
}

ordered_json pair_json(const CrowdPair& pair) {
  ordered_json list = ordered_json::array();
  for (const CrowdSeries& series : pair) {
    ordered_json& one = list.emplace_back(ordered_json{{"peers", series.peers}});
    for (std::size_t s = 0; s < kShapes.size(); ++s) {
      one[std::string(kShapes[s].name) + " ns"] = summary_json(series.nanoseconds[s]);
    }
  }
  return list;
}

}  // namespace

int run_crowd_bench(const CrowdBenchOptions& options) {
  watch_interrupts();
  const Machine machine = describe_machine();
  print_heading(options.command, machine);
  const CrowdPair pair = measure(options);
  print(pair);
  ordered_json report = report_head("crowd", options.command, machine);
  report["rounds"] = options.rounds;
  report["busy"] = pair_json(pair);
  return conclude(std::move(report), judge_pair(pair), options.files, options.check);
}

}  // namespace fireline::bench
