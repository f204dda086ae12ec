// The page of `fireline-bench tunnel`: what the tables say, as plots.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <tuple>

#include "tools/bench/report_page_parts.h"
#include "tools/bench/results.h"

namespace fireline::bench::page {
namespace {

struct Shown {
  Measure measure;
  std::string_view group;
};

// One plot: its measures share an axis.
struct ShownPlot {
  std::string_view title;
  std::string_view unit;
  int digits;
  std::array<Shown, 4> measures;  // Measure::count_: none
};

constexpr Shown kNone{Measure::count_, {}};
constexpr std::array kPlots{
    ShownPlot{"TCP throughput",
              "Gbit/s, more is better; \u00d7: of the forwarder's",
              2,
              {{{Measure::tcp_one, "one stream"},
                {Measure::tcp_four, "four streams"},
                {Measure::tcp_reverse, "reverse"},
                kNone}}},
    ShownPlot{
        "CPU per GB",
        "seconds per GB, less is better; \u00d7: of the forwarder's",
        2,
        {{{Measure::cpu_per_gigabyte, "both ends"}, {Measure::busy_per_gigabyte, "whole machine"}, kNone, kNone}}},
    ShownPlot{"UDP goodput",
              "Gbit/s, more is better; \u00d7: of the forwarder's",
              2,
              {{{Measure::flood_goodput, "flood of trains"},
                {Measure::single_goodput, "single datagrams"},
                {Measure::loss_free_rate, "loss-free rate"},
                {Measure::quic_goodput, "QUIC-like, by a window"}}}},
    ShownPlot{"Ping",
              "average, milliseconds, less is better; \u00d7: of the forwarder's",
              3,
              {{{Measure::ping_idle_average, "idle"}, {Measure::ping_loaded_average, "under TCP"}, kNone, kNone}}},
    ShownPlot{"Packets per call",
              "more is better",
              1,
              {{{Measure::tun_read_packets, "TUN read"},
                {Measure::udp_send_packets, "UDP send"},
                {Measure::udp_receive_packets, "UDP receive"},
                {Measure::tun_write_packets, "TUN write"}}}},
};

std::string key_of(Measure measure) {
  return std::string(text_of(measure).key);
}

std::string name_of(const Json& candidate) {
  return candidate.at("name").get<std::string>();
}

// An empty object where nothing was measured.
Json measures_of(const Json& candidate) {
  return candidate.value("measures", Json::object());
}

std::string ratio_text(const Json& measures, const std::string& key) {
  if (!measures.at(key).contains("ratio_to_forwarder") || measures.at(key).at("ratio_to_forwarder").is_null())
    return {};
  return fmt::format("{:.2f}\u00d7", measures.at(key).at("ratio_to_forwarder").get<double>());
}

std::string bars_of(const Json& block, const ShownPlot& plot, PlotColours& colours) {
  std::vector<PlotGroup> groups;
  for (const Shown& shown : plot.measures) {
    if (shown.measure == Measure::count_) continue;
    PlotGroup group{std::string(shown.group), {}};
    for (const Json& candidate : block.at("candidates")) {
      const Json measures = measures_of(candidate);
      auto rounds = rounds_of(measures, key_of(shown.measure));
      if (rounds.empty()) continue;
      const std::string name = name_of(candidate);
      std::string note = name == "forwarder" ? "" : ratio_text(measures, key_of(shown.measure));
      group.bars.push_back({name, colours.of(name), std::move(rounds), std::move(note)});
    }
    if (!group.bars.empty()) groups.push_back(std::move(group));
  }
  return bar_plot({std::string(plot.title), std::string(plot.unit), plot.digits}, groups);
}

// Of all replies of all rounds: the share that came within a time.
std::string latency_of(const Json& block, const std::string& key, const std::string& title, PlotColours& colours) {
  std::vector<PlotCurve> curves;
  for (const Json& candidate : block.at("candidates")) {
    if (!candidate.contains(key) || candidate.at(key).is_null()) continue;
    const Json& distribution = candidate.at(key);
    const auto quantiles = distribution.at("quantiles_ms").get<std::vector<double>>();
    if (quantiles.size() < 2 || quantiles.front() <= 0) continue;
    PlotCurve curve{name_of(candidate), colours.of(name_of(candidate)), {}, {}};
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
    PlotCurve curve{name_of(candidate), colours.of(name_of(candidate)), {}, {}};
    for (std::size_t i = 0; i < rounds.size(); ++i) curve.points.emplace_back(static_cast<double>(i + 1), rounds[i]);
    curves.push_back(std::move(curve));
  }
  return curve_plot({"Round by round", "TCP, one stream: what the machine did to all of them", 2},
                    {.logarithmic = false, .marked = true, .highest = std::nullopt, .x_unit = "", .y_unit = "Gbit/s"},
                    curves);
}

PageTable table_of(const Json& block) {
  PageTable table{"All figures: median (low-high)", {""}, {}};
  for (const Json& candidate : block.at("candidates")) table.heading.push_back(name_of(candidate));
  for (std::size_t i = 0; i < kMeasures; ++i) {
    const MeasureText& text = text_of(static_cast<Measure>(i));
    std::vector<std::string> row{std::string(text.title)};
    bool measured = false;
    for (const Json& candidate : block.at("candidates")) {
      const auto rounds = rounds_of(measures_of(candidate), std::string(text.key));
      measured |= !rounds.empty();
      row.push_back(spread(rounds, text.digits));
    }
    if (measured) table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<std::string> notes_of(const Json& block) {
  std::vector<std::string> notes{"Each dot is a round, the bar ends at their median, the line spans them."};
  if (!block.at("ratios_refused").is_null()) notes.push_back(block.at("ratios_refused").get<std::string>());
  for (const Json& candidate : block.at("candidates")) {
    for (const Json& failure : candidate.at("failures")) {
      notes.push_back(fmt::format("failed: {}: {}", name_of(candidate), failure.get<std::string>()));
    }
  }
  return notes;
}

// The first candidate of the first block that is not a yardstick.
void add_tiles(Page& out, const Json& blocks) {
  constexpr std::array<std::tuple<Measure, std::string_view, std::string_view>, 3> kTiles{
      {{Measure::tcp_one, "Gbit/s", "TCP, one stream"},
       {Measure::cpu_per_gigabyte, "s/GB", "CPU of both ends"},
       {Measure::ping_idle_p99, "ms", "99 % of idle pings"}}};
  for (const Json& candidate : blocks.at(0).at("candidates")) {
    const std::string name = name_of(candidate);
    if (name == "forwarder" || name == "veth") continue;
    const Json measures = measures_of(candidate);
    for (const auto& [measure, unit, what] : kTiles) {
      const auto rounds = rounds_of(measures, key_of(measure));
      if (rounds.empty()) continue;
      const std::string ratio = ratio_text(measures, key_of(measure));
      out.tiles.push_back(
          {fmt::format("{:.2f} {}", median_of(rounds), unit),
           fmt::format("{}: {}{}", name, what, ratio.empty() ? "" : ", " + ratio + " of the forwarder's")});
    }
    return;
  }
}

}  // namespace

void add_tunnel(Page& out, const Json& report) {
  PlotColours colours;
  const Json& blocks = report.at("blocks");
  add_tiles(out, blocks);
  for (const Json& block : blocks) {
    PageSection section;
    section.title =
        fmt::format("MTU {}, underlay {}", block.at("mtu").get<int>(), block.at("underlay").get<std::string>());
    section.notes = notes_of(block);
    for (const ShownPlot& plot : kPlots) section.plots.push_back(bars_of(block, plot, colours));
    section.plots.push_back(latency_of(block, "ping_idle", "Latency, idle", colours));
    section.plots.push_back(latency_of(block, "ping_loaded", "Latency under TCP", colours));
    section.plots.push_back(rounds_plot(block, colours));
    section.tables.push_back(table_of(block));
    for (const Json& candidate : block.at("candidates")) {
      if (!candidate.contains("acceptance")) continue;
      section.tables.push_back(verdicts("Thresholds, " + name_of(candidate), candidate.at("acceptance")));
    }
    out.sections.push_back(std::move(section));
  }
}

}  // namespace fireline::bench::page
