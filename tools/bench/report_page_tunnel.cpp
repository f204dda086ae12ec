// The page of `fireline-bench tunnel`: what the tables say, as plots.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tools/bench/report_page_blocks.h"
#include "tools/bench/results.h"

namespace fireline::bench::page {
namespace {

constexpr std::string_view kYardstick = "forwarder";

std::string key_of(Measure measure) {
  return std::string(text_of(measure).key);
}

// The keys are measures' own, which are no constants.
std::array<ShownPlot, 5> plots() {
  const auto shown = [](Measure measure, std::string_view group) { return ShownMeasure{text_of(measure).key, group}; };
  return {
      {{"TCP throughput",
        "Gbit/s, more is better; \u00d7: of the forwarder's",
        2,
        {{shown(Measure::tcp_one, "one stream"), shown(Measure::tcp_four, "four streams"),
          shown(Measure::tcp_reverse, "reverse")}}},
       {"CPU per GB",
        "seconds per GB, less is better; \u00d7: of the forwarder's",
        2,
        {{shown(Measure::cpu_per_gigabyte, "both ends"), shown(Measure::busy_per_gigabyte, "whole machine")}}},
       {"UDP goodput",
        "Gbit/s, more is better; \u00d7: of the forwarder's",
        2,
        {{shown(Measure::flood_goodput, "flood of trains"), shown(Measure::single_goodput, "single datagrams"),
          shown(Measure::loss_free_rate, "loss-free rate"), shown(Measure::quic_goodput, "QUIC-like, by a window")}}},
       {"Ping",
        "average, milliseconds, less is better; \u00d7: of the forwarder's",
        3,
        {{shown(Measure::ping_idle_average, "idle"), shown(Measure::ping_loaded_average, "under TCP")}}},
       {"Packets per call",
        "more is better",
        1,
        {{shown(Measure::tun_read_packets, "TUN read"), shown(Measure::udp_send_packets, "UDP send"),
          shown(Measure::udp_receive_packets, "UDP receive"), shown(Measure::tun_write_packets, "TUN write")}}}}};
}

// Of all replies of all rounds: the share that came within a time.
std::string latency_of(const Json& block, const std::string& key, const std::string& title, PlotColours& colours) {
  std::vector<PlotCurve> curves;
  for (const Json& candidate : block.at("candidates")) {
    if (!candidate.contains(key) || candidate.at(key).is_null()) continue;
    const Json& distribution = candidate.at(key);
    const auto quantiles = distribution.at("quantiles_ms").get<std::vector<double>>();
    if (quantiles.size() < 2 || quantiles.front() <= 0) continue;
    PlotCurve curve{candidate_name(candidate), colours.of(candidate_name(candidate)), {}, {}};
    const double step = 100 / static_cast<double>(quantiles.size() - 1);
    for (std::size_t i = 0; i < quantiles.size(); ++i) {
      curve.points.emplace_back(quantiles[i], static_cast<double>(i) * step);
    }
    curve.note = fmt::format("p50 {:.2f}, p99 {:.2f} ms", distribution.at("p50_ms").get<double>(),
                             distribution.at("p99_ms").get<double>());
    curves.push_back(std::move(curve));
  }
  return curve_plot({title, "share of the replies within a time; further left is better", 2},
                    {.logarithmic = true, .marked = false, .highest = 100, .x_unit = "ms", .y_unit = "%"}, curves);
}

std::string rounds_plot(const Json& block, PlotColours& colours) {
  std::vector<PlotCurve> curves;
  for (const Json& candidate : block.at("candidates")) {
    const auto rounds = rounds_of(measures_of(candidate), key_of(Measure::tcp_one));
    if (rounds.size() < 2) return {};
    PlotCurve curve{candidate_name(candidate), colours.of(candidate_name(candidate)), {}, {}};
    for (std::size_t i = 0; i < rounds.size(); ++i) curve.points.emplace_back(static_cast<double>(i + 1), rounds[i]);
    curves.push_back(std::move(curve));
  }
  return curve_plot({"Round by round", "TCP, one stream: what the machine did to all of them", 2},
                    {.logarithmic = false, .marked = true, .highest = std::nullopt, .x_unit = "", .y_unit = "Gbit/s"},
                    curves);
}

std::vector<ShownRow> rows() {
  std::vector<ShownRow> all;
  for (std::size_t i = 0; i < kMeasures; ++i) {
    const MeasureText& text = text_of(static_cast<Measure>(i));
    all.push_back({text.key, text.title, text.digits});
  }
  return all;
}

std::array<ShownTile, 3> tiles() {
  const auto shown = [](Measure measure, std::string_view unit, std::string_view what) {
    return ShownTile{text_of(measure).key, unit, what, 2};
  };
  return {shown(Measure::tcp_one, "Gbit/s", "TCP, one stream"),
          shown(Measure::cpu_per_gigabyte, "s/GB", "CPU of both ends"),
          shown(Measure::ping_idle_p99, "ms", "99 % of idle pings")};
}

}  // namespace

void add_tunnel(Page& out, const Json& report) {
  PlotColours colours;
  const Json& blocks = report.at("blocks");
  add_block_tiles(out, blocks, kYardstick, tiles());
  for (const Json& block : blocks) {
    PageSection section;
    section.title =
        fmt::format("MTU {}, underlay {}", block.at("mtu").get<int>(), block.at("underlay").get<std::string>());
    section.notes = block_notes(block);
    for (const ShownPlot& plot : plots()) section.plots.push_back(block_bars(block, plot, kYardstick, colours));
    section.plots.push_back(latency_of(block, "ping_idle", "Latency, idle", colours));
    section.plots.push_back(latency_of(block, "ping_loaded", "Latency under TCP", colours));
    section.plots.push_back(rounds_plot(block, colours));
    section.tables.push_back(block_table(block, rows()));
    std::ranges::move(block_verdicts(block), std::back_inserter(section.tables));
    out.sections.push_back(std::move(section));
  }
}

}  // namespace fireline::bench::page
