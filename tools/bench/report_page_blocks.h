// What the pages of `fireline-bench tunnel` and `relay` have in common: their reports are lists of blocks, in each of
// which candidates stand side by side, with a ratio to a yardstick. Throws as report_page_parts.h says. Pure.
#pragma once
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/report_page_parts.h"

namespace fireline::bench::page {

struct ShownMeasure {
  std::string_view key;    // in the report; empty: none
  std::string_view group;  // heading of its bars
};

// Its measures share an axis.
struct ShownPlot {
  std::string_view title;
  std::string_view unit;
  int digits;
  std::array<ShownMeasure, 4> measures;
};

// A row of the table of everything.
struct ShownRow {
  std::string_view key;
  std::string_view title;
  int digits;
};

// A key figure of the first candidate that is measured for its own sake.
struct ShownTile {
  std::string_view key;
  std::string_view unit;
  std::string_view what;
  int digits;
};

[[nodiscard]] std::string candidate_name(const Json& candidate);

// An empty object where nothing was measured.
[[nodiscard]] Json measures_of(const Json& candidate);

// Of the first block; what was not measured has no tile.
void add_block_tiles(Page& out, const Json& blocks, std::string_view yardstick, std::span<const ShownTile> tiles);

// Empty where nobody has one of the measures.
[[nodiscard]] std::string block_bars(const Json& block, const ShownPlot& plot, std::string_view yardstick,
                                     PlotColours& colours);

// What was not measured has no row.
[[nodiscard]] PageTable block_table(const Json& block, std::span<const ShownRow> rows);

// How to read the bars, why there are no ratios, and what failed.
[[nodiscard]] std::vector<std::string> block_notes(const Json& block);

// One for each candidate that was judged.
[[nodiscard]] std::vector<PageTable> block_verdicts(const Json& block);

}  // namespace fireline::bench::page
