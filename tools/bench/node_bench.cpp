#include "tools/bench/node_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tools/bench/node_wire.h"
#include "tools/bench/node_world.h"
#include "tools/bench/process.h"
#include "tools/bench/report_files.h"
#include "tools/bench/report_parts.h"

namespace fireline::bench {
namespace {

using namespace std::chrono_literals;
using nlohmann::ordered_json;

// Thresholds of the acceptance.
constexpr double kIdlePercentMax = 1;
constexpr double kIdleBytesMax = 32.0 * 1024;
constexpr double kBusyRatioMax = 1.15;

// Behind the last connection's start: all are idle, and each pair's memory of its checks is full (40 of them).
constexpr Duration kSettles = 1100s;
// Figures are of so many inner packets a round; every connection has its turn, whatever that takes.
constexpr std::size_t kPacketsPerRound = 20'000;
constexpr std::size_t kInnerBytes = 1280;
constexpr std::size_t kColumnWidth = 26;

// What one turn of the packet thread is given. Under load a turn has packets of as many connections as a reader's turn
// has receive calls, 64; with nothing to do, of one alone.
struct Shape {
  std::string_view name;
  std::size_t connections;  // of one turn; where there is one alone, it comes as often
  std::size_t packets;      // of each
  bool up;                  // from the client to the gateway's TUN, or back
  bool wired;               // system calls and the kernel's work in them included: what a packet costs, and judged
};
constexpr std::array<Shape, 12> kShapes{{{"trains of 32, received", 1, 32, true, true},
                                         {"trains of 32, sent", 1, 32, false, true},
                                         {"64 at once, received", 64, 1, true, true},
                                         {"64 at once, sent", 64, 1, false, true},
                                         {"one alone, received", 1, 1, true, true},
                                         {"one alone, sent", 1, 1, false, true},
                                         {"no calls: trains, received", 1, 32, true, false},
                                         {"no calls: trains, sent", 1, 32, false, false},
                                         {"no calls: 64, received", 64, 1, true, false},
                                         {"no calls: 64, sent", 64, 1, false, false},
                                         {"no calls: alone, received", 1, 1, true, false},
                                         {"no calls: alone, sent", 1, 1, false, false}}};

struct IdleFigures {
  std::size_t connections = 0;
  double pairs = 0;    // of each
  double percent = 0;  // of a core
  double bytes = 0;    // of each connection
  double calls = 0;    // of the node a second
};

IdleFigures measure_idle(const NodeBenchOptions& options) {
  progress(std::to_string(options.idle) + " connections, until they idle");
  NodeWorld world(options.idle);
  world.run_for(kSettles);
  const auto census = world.census();
  if (census.connections != options.idle || census.idle != options.idle || census.direct != options.idle) {
    throw BenchError("of " + std::to_string(options.idle) + " connections " + std::to_string(census.connections) +
                     " live, " + std::to_string(census.idle) + " idle, " + std::to_string(census.direct) +
                     " on a direct path");
  }
  IdleFigures figures;
  const auto each = static_cast<double>(options.idle);
  figures.connections = options.idle;
  figures.pairs = static_cast<double>(census.pairs) / each;
  world.set_metered(true);
  const std::uint64_t calls = world.calls();
  world.run_for(std::chrono::seconds(options.seconds));
  const double seconds = options.seconds;
  figures.percent = world.take_cpu_nanoseconds() / 1e9 / seconds * 100;
  figures.calls = static_cast<double>(world.calls() - calls) / seconds;
  figures.bytes = static_cast<double>(world.end_gateway()) / each;
  return figures;
}

struct BusySeries {
  std::size_t connections = 0;
  std::unique_ptr<NodeWorld> world;
  std::size_t next = 0;  // whose turn it is
  std::array<std::vector<double>, kShapes.size()> nanoseconds;
};

double measure_shape(BusySeries& series, const Shape& shape, NodeWire* wire) {
  const std::size_t turns = std::max(kPacketsPerRound / shape.packets, series.connections) / shape.connections;
  const std::size_t expected = turns * shape.connections * shape.packets;
  std::vector<std::size_t> clients(shape.connections);
  const auto next_clients = [&] {
    for (std::size_t& client : clients) client = series.next++ % series.connections;
    return std::span<const std::size_t>(clients);
  };
  NodeWorld& world = *series.world;
  std::vector<NodeWorld::Upload> uploads;
  for (std::size_t i = 0; shape.up && i < turns; ++i) {
    uploads.push_back(world.make_upload(next_clients(), shape.packets, kInnerBytes));
  }
  std::size_t packets = 0;
  world.set_metered(true);
  static_cast<void>(world.take_cpu_nanoseconds());
  for (std::size_t i = 0; i < turns; ++i) {
    packets +=
        shape.up ? world.send_up(uploads[i], wire) : world.send_down(next_clients(), shape.packets, kInnerBytes, wire);
  }
  world.set_metered(false);
  if (packets != expected)
    throw BenchError(fmt::format("{}: of {} packets {} came through the node", shape.name, expected, packets));
  return world.take_cpu_nanoseconds() / static_cast<double>(packets);
}

std::vector<BusySeries> measure_busy(const NodeBenchOptions& options) {
  std::vector<BusySeries> all;
  for (const std::size_t connections : options.busy) {
    progress(std::to_string(connections) + " connections are made");
    BusySeries& series = all.emplace_back();
    series.connections = connections;
    series.world = std::make_unique<NodeWorld>(connections);
    series.world->run_for(30s);
  }
  NodeWire wire;
  for (int round = 0; round <= options.rounds; ++round) {
    progress("round " + std::to_string(round) + " of " + std::to_string(options.rounds));
    for (std::size_t s = 0; s < kShapes.size(); ++s) {
      for (std::size_t i = 0; i < all.size(); ++i) {
        check_interrupt();
        BusySeries& series = all[(i + static_cast<std::size_t>(round)) % all.size()];
        const double figure = measure_shape(series, kShapes[s], kShapes[s].wired ? &wire : nullptr);
        if (round > 0) series.nanoseconds[s].push_back(figure);
      }
    }
  }
  return all;
}

Judgement at_most(std::string rule, double value, double limit, std::string figure) {
  return {value <= limit ? Verdict::pass : Verdict::fail, std::move(rule), std::move(figure)};
}

std::vector<Judgement> judge_idle(const IdleFigures& idle) {
  const std::string who = std::to_string(idle.connections) + " idle connections: ";
  return {at_most(who + "CPU of a core <= 1 %", idle.percent, kIdlePercentMax, fmt::format("{:.2f} %", idle.percent)),
          at_most(who + "memory of each <= 32 KiB", idle.bytes, kIdleBytesMax,
                  fmt::format("{:.1f} KiB", idle.bytes / 1024))};
}

std::vector<Judgement> judge_busy(const std::vector<BusySeries>& all) {
  std::vector<Judgement> judgements;
  for (std::size_t i = 1; i < all.size(); ++i) {
    for (std::size_t s = 0; s < kShapes.size(); ++s) {
      if (!kShapes[s].wired) continue;
      const double one = summarize(all[0].nanoseconds[s])->median, many = summarize(all[i].nanoseconds[s])->median;
      judgements.push_back(at_most(std::string(kShapes[s].name) + ", " + std::to_string(all[i].connections) +
                                       " connections <= 1.15 of " + std::to_string(all[0].connections),
                                   many / one, kBusyRatioMax, fmt::format("{:.2f} ({:.0f} ns)", many / one, many)));
    }
  }
  return judgements;
}

void print_idle(const IdleFigures& idle) {
  std::printf("%zu idle connections with %.1f pairs each: %.2f %% of a core, %.1f KiB each, %.0f calls a second\n\n",
              idle.connections, idle.pairs, idle.percent, idle.bytes / 1024, idle.calls);
}

void print_busy(const std::vector<BusySeries>& all) {
  std::vector<std::string> labels;
  for (const BusySeries& series : all) labels.push_back(std::to_string(series.connections));
  std::fputs(heading_line(std::vector<std::string>{labels}, kColumnWidth).c_str(), stdout);
  for (std::size_t s = 0; s < kShapes.size(); ++s) {
    std::vector<std::string> cells;
    const auto one = summarize(all[0].nanoseconds[s]);
    for (const BusySeries& series : all) {
      const auto figure = summarize(series.nanoseconds[s]);
      cells.push_back(cell(figure, 0, &series == &all[0] ? std::nullopt : std::optional(figure->median / one->median)));
    }
    std::fputs(table_line(kShapes[s].name, cells, kColumnWidth).c_str(), stdout);
  }
  std::printf("\n");
}

ordered_json busy_json(const std::vector<BusySeries>& all) {
  ordered_json list = ordered_json::array();
  for (const BusySeries& series : all) {
    ordered_json one{{"connections", series.connections}};
    for (std::size_t s = 0; s < kShapes.size(); ++s) {
      one[std::string(kShapes[s].name) + " ns"] = summary_json(series.nanoseconds[s]);
    }
    list.push_back(std::move(one));
  }
  return list;
}

}  // namespace

int run_node_bench(const NodeBenchOptions& options) {
  watch_interrupts();
  const Machine machine = describe_machine();
  print_heading(options.command, machine);
  std::vector<Judgement> judgements;
  ordered_json json = report_head("node", options.command, machine);
  if (options.idle > 0) {
    const IdleFigures idle = measure_idle(options);
    print_idle(idle);
    judgements = judge_idle(idle);
    json["idle"] = {{"connections", idle.connections},
                    {"pairs", idle.pairs},
                    {"percent_of_a_core", idle.percent},
                    {"bytes_each", idle.bytes},
                    {"calls_a_second", idle.calls}};
  }
  if (!options.busy.empty()) {
    const auto busy = measure_busy(options);
    std::printf("CPU nanoseconds of a packet of %zu bytes, by connections that take turns: median (low-high)\n",
                kInnerBytes);
    print_busy(busy);
    const auto more = judge_busy(busy);
    judgements.insert(judgements.end(), more.begin(), more.end());
    json["busy"] = busy_json(busy);
  }
  return conclude(std::move(json), judgements, options.files, options.check);
}

}  // namespace fireline::bench
