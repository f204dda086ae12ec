#include "tools/bench/peers_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>

#include "tools/bench/peer_world.h"
#include "tools/bench/process.h"
#include "tools/bench/report_parts.h"

namespace fireline::bench {
namespace {

using nlohmann::ordered_json;

// Of issue and design: a packet's cost stays within 10 % of one peer's.
constexpr double kRatioMax = 1.10;
constexpr std::size_t kPacketsPerRound = 40'000;
constexpr std::size_t kInnerBytes = 1280;
constexpr std::size_t kColumnWidth = 26;

struct Shape {
  std::string_view name;
  std::size_t packets;  // of one peer, in one turn
  bool in;              // from the peer, or to it
  bool judged;
};
// A peer that has data to send has trains of it; single packets of another peer each are the worst that can be.
constexpr std::array<Shape, 4> kShapes{{{"trains of 32, received", 32, true, true},
                                        {"trains of 32, sent", 32, false, true},
                                        {"single packets, received", 1, true, false},
                                        {"single packets, sent", 1, false, false}}};

struct PeersSeries {
  std::size_t peers = 0;
  PeerWorld::Cost configured;
  PeerWorld::Cost connected;
  std::unique_ptr<PeerWorld> world;
  std::size_t next = 0;  // whose turn it is
  std::array<std::vector<double>, kShapes.size()> nanoseconds;
};

double measure_shape(PeersSeries& series, const Shape& shape) {
  const std::size_t turns = std::max(kPacketsPerRound / shape.packets, series.peers);
  double nanoseconds = 0;
  for (std::size_t i = 0; i < turns; ++i) {
    const std::size_t peer = series.next++ % series.peers;
    nanoseconds += shape.in ? series.world->receive(peer, shape.packets, kInnerBytes)
                            : series.world->send(peer, shape.packets, kInnerBytes);
  }
  return nanoseconds / static_cast<double>(turns * shape.packets);
}

std::vector<PeersSeries> measure(const PeersBenchOptions& options) {
  std::vector<PeersSeries> all;
  for (const std::size_t peers : options.peers) {
    progress(fmt::format("{} peers are configured and connected", peers));
    PeersSeries& series = all.emplace_back();
    series.peers = peers;
    series.world = std::make_unique<PeerWorld>();
    series.configured = series.world->configure(peers);
    series.connected = series.world->connect();
  }
  for (int round = 0; round <= options.rounds; ++round) {
    progress(fmt::format("round {} of {}", round, options.rounds));
    for (std::size_t s = 0; s < kShapes.size(); ++s) {
      for (std::size_t i = 0; i < all.size(); ++i) {
        check_interrupt();
        PeersSeries& series = all[(i + static_cast<std::size_t>(round)) % all.size()];
        const double figure = measure_shape(series, kShapes[s]);
        if (round > 0) series.nanoseconds[s].push_back(figure);
      }
    }
  }
  return all;
}

double ratio(const PeersSeries& one, const PeersSeries& many, std::size_t shape) {
  return summarize(many.nanoseconds[shape])->median / summarize(one.nanoseconds[shape])->median;
}

std::vector<Judgement> judge_series(const std::vector<PeersSeries>& all) {
  std::vector<Judgement> judgements;
  for (std::size_t i = 1; i < all.size(); ++i) {
    for (std::size_t s = 0; s < kShapes.size(); ++s) {
      if (!kShapes[s].judged) continue;
      const double factor = ratio(all[0], all[i], s);
      judgements.push_back(
          {factor <= kRatioMax ? Verdict::pass : Verdict::fail,
           fmt::format("{}, {} peers <= {:.2f} of {}", kShapes[s].name, all[i].peers, kRatioMax, all[0].peers),
           fmt::format("{:.2f}", factor)});
    }
  }
  return judgements;
}

void print(const std::vector<PeersSeries>& all) {
  for (const PeersSeries& series : all) {
    std::printf("%zu peers: configured in %.1f ms, %.0f bytes each; connected in %.0f ms, %.0f bytes more each\n",
                series.peers, series.configured.nanoseconds / 1e6, series.configured.bytes,
                series.connected.nanoseconds / 1e6, series.connected.bytes);
  }
  std::printf("\nCPU nanoseconds of a packet of %zu bytes, by peers that take turns: median (low-high)\n", kInnerBytes);
  std::vector<std::string> labels;
  for (const PeersSeries& series : all) labels.push_back(std::to_string(series.peers));
  std::fputs(heading_line(labels, kColumnWidth).c_str(), stdout);
  for (std::size_t s = 0; s < kShapes.size(); ++s) {
    std::vector<std::string> cells;
    for (const PeersSeries& series : all) {
      const auto factor = &series == &all[0] ? std::nullopt : std::optional(ratio(all[0], series, s));
      cells.push_back(cell(summarize(series.nanoseconds[s]), 0, factor));
    }
    std::fputs(table_line(kShapes[s].name, cells, kColumnWidth).c_str(), stdout);
  }
}

ordered_json series_json(const PeersSeries& series) {
  ordered_json one{{"peers", series.peers},
                   {"configured_ms", series.configured.nanoseconds / 1e6},
                   {"configured_bytes_each", series.configured.bytes},
                   {"connected_ms", series.connected.nanoseconds / 1e6},
                   {"session_bytes_each", series.connected.bytes}};
  for (std::size_t s = 0; s < kShapes.size(); ++s) {
    one[std::string(kShapes[s].name) + " ns"] = summary_json(series.nanoseconds[s]);
  }
  return one;
}

}  // namespace

int run_peers_bench(const PeersBenchOptions& options) {
  watch_interrupts();
  const Machine machine = describe_machine();
  print_heading(options.command, machine);
  const auto all = measure(options);
  print(all);
  ordered_json report = report_head("peers", options.command, machine);
  report["rounds"] = options.rounds;
  report["busy"] = ordered_json::array();
  for (const PeersSeries& series : all) report["busy"].push_back(series_json(series));
  return conclude(std::move(report), judge_series(all), options.files, options.check);
}

}  // namespace fireline::bench
