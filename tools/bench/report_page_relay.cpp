// The pages of the relay's benchmarks: `fireline-bench relay`, candidates beside coturn, and `xdp`, frames beside an
// empty program and a plain hop.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tools/bench/relay_results.h"
#include "tools/bench/report_page_blocks.h"

namespace fireline::bench::page {
namespace {

constexpr std::string_view kYardstick = "coturn";

// The keys are measures' own, which are no constants.
std::array<ShownPlot, 7> plots() {
  using enum RelayMeasure;
  const auto shown = [](RelayMeasure measure, std::string_view group) {
    return ShownMeasure{text_of(measure).key, group};
  };
  return {{{"Trains",
            "thousand datagrams a second without loss, more is better; \u00d7: of coturn's",
            0,
            {{shown(train_rate_up, "to the peer"), shown(train_rate_down, "to the client"),
              shown(cores_rate_up, "to the peer, a sender on each core"),
              shown(cores_rate_down, "to the client, a sender on each core")}}},
           {"Single datagrams, unpaced",
            "thousand a second that arrive, more is better; \u00d7: of coturn's",
            0,
            {{shown(single_flood_up, "to the peer"), shown(single_flood_down, "to the client")}}},
           {"CPU of a single datagram",
            "microseconds, less is better; \u00d7: of coturn's",
            2,
            {{shown(single_cpu, "relay"), shown(single_busy, "whole machine")}}},
           {"CPU of a datagram in a train",
            "microseconds, less is better; \u00d7: of coturn's",
            3,
            {{shown(train_cpu, "relay"), shown(train_busy, "whole machine")}}},
           {"Round trip",
            "microseconds, less is better",
            0,
            {{shown(latency_p50, "half of them within"), shown(latency_p99, "99 % within")}}},
           {"Fairness",
            "Jain\u2019s index at twice the load, 1 is equal shares",
            3,
            {{shown(fairness_up, "to the peer"), shown(fairness_down, "to the client")}}},
           {"Set-ups",
            "a second, more is better; \u00d7: of coturn's",
            0,
            {{shown(setups, "allocate and bind a channel")}}}}};
}

std::vector<ShownRow> rows() {
  std::vector<ShownRow> all;
  for (std::size_t i = 0; i < kRelayMeasures; ++i) {
    const RelayMeasureText& text = text_of(static_cast<RelayMeasure>(i));
    all.push_back({text.key, text.title, text.digits});
  }
  return all;
}

std::array<ShownTile, 4> tiles() {
  using enum RelayMeasure;
  const auto shown = [](RelayMeasure measure, std::string_view unit, std::string_view what) {
    return ShownTile{text_of(measure).key, unit, what, text_of(measure).digits};
  };
  return {shown(train_rate_up, "kpps", "trains to the peer, no loss"),
          shown(train_cpu, "\u00b5s", "CPU of a datagram in a train"),
          shown(single_cpu, "\u00b5s", "CPU of a single datagram"), shown(setups, "/s", "set-ups")};
}

constexpr double kNanosecondsPerMicrosecond = 1e3;

// A frame's cost by figure, all of one group.
void add_group(Page& out, const Json& group, PlotColours& colours) {
  const auto title = group.at("title").get<std::string>();
  const auto baseline = group.at("baseline").get<std::string>();
  const Json& figures = group.at("figures");
  const auto yardstick = std::ranges::find(
      figures, baseline, [](const Json& figure) { return figure.at("name").get_ref<const std::string&>(); });
  const double unit = yardstick == figures.end() ? 0 : median_of(rounds_of(*yardstick, "ns"));
  PlotGroup bars;
  PageTable table{"All figures", {"frame", "ns: median (low-high)", "Mpps"}, {}};
  std::pair<double, std::string> dearest;
  for (const Json& figure : figures) {
    auto name = figure.at("name").get<std::string>();
    std::ranges::replace(name, '_', ' ');  // so that it may wrap
    auto rounds = rounds_of(figure, "ns");
    const double median = median_of(rounds);
    if (rounds.empty() || median <= 0) continue;
    table.rows.push_back({name, spread(rounds, 0), fmt::format("{:.2f}", kNanosecondsPerMicrosecond / median)});
    const bool compared = unit > 0 && !PlotColours::is_yardstick(name);
    bars.bars.push_back({name, colours.of(PlotColours::is_yardstick(name) ? name : "frame"), std::move(rounds),
                         compared ? fmt::format("{:.2f}\u00d7", median / unit) : std::string()});
    if (compared && median > dearest.first) dearest = {median, name};
  }
  if (!dearest.second.empty()) {
    out.tiles.push_back({fmt::format("{:.0f} ns", dearest.first), fmt::format("{}: {}", title, dearest.second)});
  }
  const std::string ratios = baseline.empty() ? "" : fmt::format("; \u00d7: of the {}\u2019s", baseline);
  out.sections.push_back({title,
                          {kBarsNote},
                          {bar_plot({"Cost of a frame", "nanoseconds, less is better" + ratios, 0}, {bars})},
                          {table}});
}

}  // namespace

void add_relay(Page& out, const Json& report) {
  PlotColours colours;
  const Json& blocks = report.at("blocks");
  add_block_tiles(out, blocks, kYardstick, tiles());
  for (const Json& block : blocks) {
    PageSection section;
    section.title = fmt::format("{} bytes, {} allocation(s), underlay {}", block.at("payload_bytes").get<std::size_t>(),
                                block.at("allocations").get<std::size_t>(), block.at("underlay").get<std::string>());
    section.notes = block_notes(block);
    for (const ShownPlot& plot : plots()) section.plots.push_back(block_bars(block, plot, kYardstick, colours));
    section.tables.push_back(block_table(block, rows()));
    std::ranges::move(block_verdicts(block), std::back_inserter(section.tables));
    out.sections.push_back(std::move(section));
  }
  if (report.contains("flatness")) {
    out.sections.push_back({"By number of allocations", {}, {}, {verdicts("Thresholds", report.at("flatness"))}});
  }
}

void add_xdp(Page& out, const Json& report) {
  PlotColours colours;
  for (const Json& group : report.at("groups")) add_group(out, group, colours);
  if (out.sections.empty()) return;
  out.sections.back().tables.push_back(verdicts("Thresholds of all", report.at("judgements")));
}

}  // namespace fireline::bench::page
