#include "tools/bench/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fireline::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kColumnWidth = 28;

Measure measure_at(std::size_t index) {
  return static_cast<Measure>(index);
}

std::string cell_of(const Block& block, Measure measure, const Series& series) {
  std::optional<double> ratio;
  if (text_of(measure).ratio && series.candidate().kind != Candidate::Kind::forwarder) {
    ratio = ratio_to_forwarder(block, measure, series);
  }
  return cell(series.summary(measure), text_of(measure).digits, ratio);
}

// The times of all replies as percentiles, from the least to the most.
Json latency_json(const std::vector<double>& times) {
  if (times.empty()) return nullptr;
  constexpr int kQuantiles = 100;
  Json quantiles = Json::array();
  for (int i = 0; i <= kQuantiles; ++i) quantiles.push_back(*percentile(times, i));
  return {{"replies", times.size()},
          {"p50_ms", *percentile(times, 50)},
          {"p99_ms", *percentile(times, 99)},
          {"quantiles_ms", std::move(quantiles)}};
}

Json series_json(const Block& block, const Series& series) {
  Json json{{"name", series.candidate().label()},
            {"program", series.candidate().binary},
            {"threads", series.candidate().threads},
            {"failures", series.failures()}};
  for (std::size_t i = 0; i < kMeasures; ++i) {
    const Measure measure = measure_at(i);
    Json entry = summary_json(series.values(measure));
    if (entry.is_null()) continue;
    if (text_of(measure).ratio) {
      const auto ratio = ratio_to_forwarder(block, measure, series);
      entry["ratio_to_forwarder"] = ratio ? Json(*ratio) : Json();
    }
    json["measures"][std::string(text_of(measure).key)] = std::move(entry);
  }
  json["ping_idle"] = latency_json(series.pings().idle);
  json["ping_loaded"] = latency_json(series.pings().loaded);
  if (series.candidate().fireline || series.candidate().is_node()) {
    for (const Judgement& one : judge(block, series)) {
      json["acceptance"].push_back(judgement_json(one));
    }
  }
  return json;
}

}  // namespace

std::string table(const Block& block) {
  std::string text =
      fmt::format("\nMTU {}, underlay {}: median (low-high), ratio to forwarder\n", block.mtu, name_of(block.underlay));
  std::vector<std::string> columns;
  for (const Series& series : block.series) columns.push_back(series.candidate().label());
  text += heading_line(columns, kColumnWidth);
  for (std::size_t i = 0; i < kMeasures; ++i) {
    const Measure measure = measure_at(i);
    const bool measured = std::any_of(block.series.begin(), block.series.end(),
                                      [&](const Series& series) { return !series.values(measure).empty(); });
    if (!measured) continue;
    columns.clear();
    for (const Series& series : block.series) columns.push_back(cell_of(block, measure, series));
    text += table_line(text_of(measure).title, columns, kColumnWidth);
  }
  const auto alone = [](const std::vector<double>& values) {
    const auto summary = summarize(values);
    return summary ? fmt::format("{:.1f}", summary->median) : std::string("-");
  };
  text += fmt::format("generators alone, Gbit/s: flood {}, single {}, paced {}\n", alone(block.generators.flood),
                      alone(block.generators.single), alone(block.generators.paced));
  if (const auto why = refuse_ratios(block)) {
    text += *why + '\n';
  } else {
    for (const Series& series : block.series) {
      if (series.candidate().kind != Candidate::Kind::tunnel) continue;
      for (const Measure measure : {Measure::flood_goodput, Measure::single_goodput, Measure::loss_free_rate}) {
        if (const auto reason = refuse_ratio(block, measure, series)) text += *reason + '\n';
      }
    }
  }
  for (const Series& series : block.series) {
    for (const std::string& failure : series.failures()) {
      text += fmt::format("failed: {}: {}\n", series.candidate().label(), failure);
    }
  }
  return text;
}

std::string acceptance_lines(const Block& block, const Series& series) {
  return fmt::format("\n{}, MTU {}, underlay {}\n", series.candidate().label(), block.mtu, name_of(block.underlay)) +
         judgement_lines(judge(block, series), 72);
}

Json tunnel_report(const TunnelBenchOptions& options, const Machine& machine, const std::vector<Block>& blocks) {
  Json json = report_head("tunnel", options.command, machine);
  json["rounds"] = options.rounds;
  json["seconds"] = options.seconds;
  for (const Block& block : blocks) {
    Json entry{{"mtu", block.mtu}, {"underlay", name_of(block.underlay)}};
    const auto why = refuse_ratios(block);
    entry["ratios_refused"] = why ? Json(*why) : Json();
    entry["generators_alone_gbps"] = {{"flood", summary_json(block.generators.flood)},
                                      {"single", summary_json(block.generators.single)},
                                      {"paced", summary_json(block.generators.paced)}};
    for (const Series& series : block.series) entry["candidates"].push_back(series_json(block, series));
    json["blocks"].push_back(std::move(entry));
  }
  return json;
}

}  // namespace fireline::bench
