#include "tools/bench/report_page_blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

namespace fireline::bench::page {
namespace {

// "0.56×"; empty where the report gives no ratio.
std::string ratio_text(const Json& measures, const std::string& key, std::string_view yardstick) {
  const std::string member = fmt::format("ratio_to_{}", yardstick);
  const Json& measure = measures.at(key);
  if (!measure.contains(member) || measure.at(member).is_null()) return {};
  return fmt::format("{:.2f}\u00d7", measure.at(member).get<double>());
}

}  // namespace

std::string candidate_name(const Json& candidate) {
  return candidate.at("name").get<std::string>();
}

Json measures_of(const Json& candidate) {
  return candidate.value("measures", Json::object());
}

void add_block_tiles(Page& out, const Json& blocks, std::string_view yardstick, std::span<const ShownTile> tiles) {
  const std::string owner = (PlotColours::is_yardstick(yardstick) ? "the " : "") + std::string(yardstick);
  for (const Json& candidate : blocks.at(0).at("candidates")) {
    const std::string name = candidate_name(candidate);
    if (name == yardstick || PlotColours::is_yardstick(name)) continue;
    const Json measures = measures_of(candidate);
    for (const ShownTile& tile : tiles) {
      const std::string key(tile.key);
      const auto rounds = rounds_of(measures, key);
      if (rounds.empty()) continue;
      const std::string ratio = ratio_text(measures, key, yardstick);
      out.tiles.push_back(
          {fmt::format("{:.{}f} {}", median_of(rounds), tile.digits, tile.unit),
           fmt::format("{}: {}{}", name, tile.what, ratio.empty() ? "" : fmt::format(", {} of {}'s", ratio, owner))});
    }
    return;
  }
}

std::string block_bars(const Json& block, const ShownPlot& plot, std::string_view yardstick, PlotColours& colours) {
  std::vector<PlotGroup> groups;
  for (const ShownMeasure& shown : plot.measures) {
    if (shown.key.empty()) continue;
    const std::string key(shown.key);
    PlotGroup group{std::string(shown.group), {}};
    for (const Json& candidate : block.at("candidates")) {
      const Json measures = measures_of(candidate);
      auto rounds = rounds_of(measures, key);
      if (rounds.empty()) continue;
      const std::string name = candidate_name(candidate);
      std::string note = name == yardstick ? "" : ratio_text(measures, key, yardstick);
      group.bars.push_back({name, colours.of(name), std::move(rounds), std::move(note)});
    }
    if (!group.bars.empty()) groups.push_back(std::move(group));
  }
  return bar_plot({std::string(plot.title), std::string(plot.unit), plot.digits}, groups);
}

PageTable block_table(const Json& block, std::span<const ShownRow> rows) {
  PageTable table{"All figures: median (low-high)", {""}, {}};
  for (const Json& candidate : block.at("candidates")) table.heading.push_back(candidate_name(candidate));
  for (const ShownRow& shown : rows) {
    std::vector<std::string> row{std::string(shown.title)};
    bool measured = false;
    for (const Json& candidate : block.at("candidates")) {
      const auto rounds = rounds_of(measures_of(candidate), std::string(shown.key));
      measured |= !rounds.empty();
      row.push_back(spread(rounds, shown.digits));
    }
    if (measured) table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<std::string> block_notes(const Json& block) {
  std::vector<std::string> notes{kBarsNote};
  const Json& refused = block.at("ratios_refused");  // a sentence, a list of them, or null
  if (refused.is_string()) notes.push_back(refused.get<std::string>());
  if (refused.is_array()) std::ranges::copy(refused.get<std::vector<std::string>>(), std::back_inserter(notes));
  for (const Json& candidate : block.at("candidates")) {
    for (const Json& failure : candidate.at("failures")) {
      notes.push_back(fmt::format("failed: {}: {}", candidate_name(candidate), failure.get<std::string>()));
    }
  }
  return notes;
}

std::vector<PageTable> block_verdicts(const Json& block) {
  std::vector<PageTable> tables;
  for (const Json& candidate : block.at("candidates")) {
    if (!candidate.contains("acceptance")) continue;
    tables.push_back(verdicts("Thresholds, " + candidate_name(candidate), candidate.at("acceptance")));
  }
  return tables;
}

}  // namespace fireline::bench::page
