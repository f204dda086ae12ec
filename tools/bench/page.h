// A benchmark's page: one self-contained HTML file with facts about the run, key figures, plots and a table of
// everything, and the report itself for programs. Nothing is loaded from elsewhere, and no script runs. Pure.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fireline::bench {

struct PageTile {
  std::string figure;  // "5.53 Gbit/s"
  std::string what;
};

struct PageTable {
  std::string title;
  std::vector<std::string> heading;
  std::vector<std::vector<std::string>> rows;  // "PASS" and "FAIL" are coloured
};

struct PageSection {
  std::string title;
  std::vector<std::string> notes;
  std::vector<std::string> plots;  // of plot.h; empty ones are left out
  std::vector<PageTable> tables;   // folded
};

struct Page {
  std::string title;
  std::string command;
  std::vector<std::pair<std::string, std::string>> facts;  // machine, commit, date
  std::vector<PageTile> tiles;
  std::vector<PageSection> sections;
  std::string report;  // JSON
};

// Text is escaped here, but for plots.
[[nodiscard]] std::string page_html(const Page& page);

}  // namespace fireline::bench
