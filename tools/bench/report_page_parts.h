// The sections of a page by benchmark, and what they have in common. They throw Json::exception where a report lacks
// what the benchmark writes; report_page() makes a sentence of it. Pure.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tools/bench/page.h"
#include "tools/bench/plot.h"

namespace fireline::bench::page {

using Json = nlohmann::ordered_json;

void add_tunnel(Page& out, const Json& report);
void add_udp(Page& out, const Json& report);
void add_aead(Page& out, const Json& report);
void add_node(Page& out, const Json& report);
void add_peers(Page& out, const Json& report);
void add_crowd(Page& out, const Json& report);
void add_relay(Page& out, const Json& report);
void add_xdp(Page& out, const Json& report);

// How to read bars.
inline constexpr const char* kBarsNote = "Each dot is a round, the bar ends at their median, the line spans them.";

// Figures of all rounds, as summary_json writes them (or under `member`); none where the measure is absent or null.
[[nodiscard]] std::vector<double> rounds_of(const Json& parent, const std::string& key, const char* member = "rounds");

// Each figure turned into another.
template <typename Turn>
[[nodiscard]] std::vector<double> turned(std::vector<double> figures, Turn turn) {
  for (double& figure : figures) figure = turn(figure);
  return figures;
}

[[nodiscard]] double median_of(const std::vector<double>& rounds);

// A row of a table: "median (low to high)" of each, "-" of none.
[[nodiscard]] std::string spread(const std::vector<double>& rounds, int digits);

[[nodiscard]] PageTable verdicts(const std::string& title, const Json& judgements);

}  // namespace fireline::bench::page
