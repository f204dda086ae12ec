#include "tools/bench/report_page_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/bench/report_parts.h"
#include "tools/bench/statistics.h"

namespace fireline::bench::page {
namespace {

// The best backend's figure of one size, for the tiles.
struct Best {
  std::string name;
  double figure = 0;
};

constexpr double kBitsPerByte = 8;
constexpr const char* kNanoseconds = "round_ns";

// CPU time of a packet by how many take turns.
void add_turns(Page& out, const Json& report, const char* who) {
  PlotColours colours;
  std::vector<PlotGroup> groups;
  constexpr std::string_view kUnit = " ns";
  for (const Json& row : report.value("busy", Json::array())) {
    const auto count = row.at(who).get<int>();
    const std::string_view noun(who);
    const auto name = fmt::format("{} {}", count, count == 1 ? noun.substr(0, noun.size() - 1) : noun);
    for (const auto& [key, summary] : row.items()) {
      if (!std::string_view(key).ends_with(kUnit)) continue;
      const std::string title = key.substr(0, key.size() - kUnit.size());
      auto group = std::ranges::find(groups, title, &PlotGroup::title);
      if (group == groups.end()) group = groups.insert(groups.end(), PlotGroup{title, {}});
      group->bars.push_back({name, colours.of(name), rounds_of(row, key), {}});
    }
  }
  out.sections.push_back({fmt::format("{} that take turns", who),
                          {kBarsNote},
                          {bar_plot({"Cost of a packet", "CPU nanoseconds, less is better", 0}, groups)},
                          {verdicts("Thresholds", report.value("judgements", Json::array()))}});
}

}  // namespace

std::vector<double> rounds_of(const Json& parent, const std::string& key, const char* member) {
  if (!parent.contains(key) || parent.at(key).is_null()) return {};
  return parent.at(key).at(member).get<std::vector<double>>();
}

double median_of(const std::vector<double>& rounds) {
  return summarize(rounds).value_or(Summary{}).median;
}

std::string spread(const std::vector<double>& rounds, int digits) {
  return cell(summarize(rounds), digits, std::nullopt);
}

PageTable verdicts(const std::string& title, const Json& judgements) {
  PageTable table{title, {"rule", "verdict", "figure"}, {}};
  for (const Json& one : judgements) {
    table.rows.push_back(
        {one.at("rule").get<std::string>(), one.at("verdict").get<std::string>(), one.at("figure").get<std::string>()});
  }
  return table;
}

void add_aead(Page& out, const Json& report) {
  PlotColours colours;
  std::vector<PlotGroup> seal;
  std::vector<PlotGroup> open;
  std::vector<PlotGroup> cpu;
  PageTable table{"Nanoseconds per packet", {"bytes, backend", "seal", "open"}, {}};
  Best best;
  std::size_t packet = 0;  // the largest size that is a packet of a tunnel
  constexpr std::size_t kPacketMax = 1420;
  for (const Json& row : report.at("aead")) {
    const auto bytes = row.at("bytes").get<std::size_t>();
    const auto backend = row.at("backend").get<std::string>();
    const auto size = static_cast<double>(bytes);
    const auto sealed = rounds_of(row, "seal", kNanoseconds);
    const auto opened = rounds_of(row, "open", kNanoseconds);
    const std::string title = fmt::format("{} bytes", bytes);
    for (auto* groups : {&seal, &open, &cpu}) {
      if (groups->empty() || groups->back().title != title) groups->push_back({title, {}});
    }
    const auto rate = [size](double nanoseconds) { return size / nanoseconds; };
    const auto cost = [size](double nanoseconds) { return nanoseconds / size; };
    const std::string colour = colours.of(backend);
    seal.back().bars.push_back({backend, colour, turned(sealed, rate), {}});
    open.back().bars.push_back({backend, colour, turned(opened, rate), {}});
    cpu.back().bars.push_back({backend, colour, turned(sealed, cost), {}});
    table.rows.push_back({fmt::format("{}, {}", bytes, backend), spread(sealed, 0), spread(opened, 0)});
    if (bytes > kPacketMax || bytes < packet) continue;
    const double figure = rate(median_of(sealed));
    if (bytes > packet || figure > best.figure) best = {backend, figure};
    packet = bytes;
  }
  PlotGroup handshake;
  for (const Json& row : report.at("handshake")) {
    const auto figures = row.at(kNanoseconds).get<std::vector<double>>();
    const auto name = row.at("name").get<std::string>();
    handshake.bars.push_back({name, colours.of("handshake"), turned(figures, [](double ns) { return ns / 1000; }), {}});
  }
  const auto chosen = report.at("chosen_backend").get<std::string>();
  out.tiles = {
      {fmt::format("{:.2f} GB/s", best.figure), fmt::format("seals {}, {} bytes, one core", best.name, packet)},
      {fmt::format("{:.2f} s/GB", best.figure > 0 ? 1 / best.figure : 0), "CPU for sealing, the same"},
      {chosen, "chosen by the self-measurement at start"}};
  out.sections.push_back({"One thread, CPU time",
                          {kBarsNote},
                          {bar_plot({"Throughput, seal", "GB/s, more is better", 2}, seal),
                           bar_plot({"Throughput, open", "GB/s, more is better", 2}, open),
                           bar_plot({"CPU per GB, seal", "seconds per GB, less is better", 2}, cpu),
                           bar_plot({"Handshake", "microseconds, less is better", 2}, {handshake})},
                          {table}});
}

void add_udp(Page& out, const Json& report) {
  const auto bytes = report.at("bytes").get<double>();
  const auto rate = [bytes](double nanoseconds) { return kBitsPerByte * bytes / nanoseconds; };
  const auto cost = [bytes](double nanoseconds) { return nanoseconds / bytes; };
  PlotColours colours;
  for (const auto& [underlay, rows] : report.at("underlay").items()) {
    std::vector<PlotGroup> throughput{{"send", {}}, {"receive", {}}};
    std::vector<PlotGroup> cpu{{"send", {}}, {"receive", {}}};
    PageTable table{"Nanoseconds per datagram, underlay " + underlay, {"way", "cost"}, {}};
    std::vector<Best> best(throughput.size());
    for (const Json& row : rows) {
      for (std::size_t way = 0; way < throughput.size(); ++way) {
        const std::string word = throughput[way].title;
        const auto name = row.at(word).get<std::string>();
        const auto figures = rounds_of(row, word + "_cost", kNanoseconds);
        throughput[way].bars.push_back({name, colours.of(word), turned(figures, rate), {}});
        cpu[way].bars.push_back({name, colours.of(word), turned(figures, cost), {}});
        table.rows.push_back({fmt::format("{}: {}", word, name), spread(figures, 0)});
        const double figure = rate(median_of(figures));
        if (figure > best[way].figure) best[way] = {name, figure};
      }
    }
    for (std::size_t way = 0; way < best.size(); ++way) {
      out.tiles.push_back({fmt::format("{:.1f} Gbit/s", best[way].figure),
                           fmt::format("{} by {}, underlay {}", throughput[way].title, best[way].name, underlay)});
    }
    out.sections.push_back({"Underlay " + underlay,
                            {fmt::format("Datagrams of {:.0f} bytes on one thread. {}", bytes, kBarsNote)},
                            {bar_plot({"Throughput", "Gbit/s, more is better", 2}, throughput),
                             bar_plot({"CPU per GB", "seconds per GB, less is better", 2}, cpu)},
                            {table}});
  }
}

void add_node(Page& out, const Json& report) {
  if (report.contains("idle")) {
    const Json& idle = report.at("idle");
    out.tiles.push_back({fmt::format("{:.2f} %", idle.at("percent_of_a_core").get<double>()),
                         fmt::format("of a core for {} idle connections", idle.at("connections").get<int>())});
    out.tiles.push_back(
        {fmt::format("{:.1f} KiB", idle.at("bytes_each").get<double>() / 1024), "for each idle connection"});
  }
  add_turns(out, report, "connections");
}

void add_peers(Page& out, const Json& report) {
  for (const Json& row : report.at("busy")) {
    const auto peers = row.at("peers").get<int>();
    out.tiles.push_back({fmt::format("{:.1f} ms", row.at("configured_ms").get<double>()),
                         fmt::format("CPU to configure {} peers", peers)});
    out.tiles.push_back({fmt::format("{:.0f} bytes", row.at("configured_bytes_each").get<double>()),
                         fmt::format("for each of {} idle peers", peers)});
  }
  add_turns(out, report, "peers");
}

void add_crowd(Page& out, const Json& report) {
  for (const Json& one : report.at("judgements")) {
    out.tiles.push_back({one.at("figure").get<std::string>() + "\u00d7", one.at("rule").get<std::string>()});
  }
  add_turns(out, report, "peers");
}

}  // namespace fireline::bench::page
