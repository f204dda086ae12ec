// Tables and JSON of `fireline-bench relay`.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/bench/relay_bench.h"

namespace fireline::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kColumnWidth = 30;
constexpr std::size_t kRuleWidth = 44;

RelayMeasure measure_at(std::size_t index) {
  return static_cast<RelayMeasure>(index);
}

std::string cell_of(const RelayBlock& block, RelayMeasure measure, const RelaySeries& series) {
  std::optional<double> ratio;
  if (text_of(measure).ratio) ratio = ratio_to_coturn(block, measure, series);
  return cell(summarize(series.values(measure)), text_of(measure).digits, ratio);
}

Json series_json(const RelayBlock& block, const RelaySeries& series) {
  Json json{{"name", series.candidate().name}, {"program", series.candidate().binary}, {"failures", series.failures()}};
  for (std::size_t i = 0; i < kRelayMeasures; ++i) {
    const RelayMeasure measure = measure_at(i);
    Json entry = summary_json(series.values(measure));
    if (entry.is_null()) continue;
    if (text_of(measure).ratio) {
      const auto ratio = ratio_to_coturn(block, measure, series);
      entry["ratio_to_coturn"] = ratio ? Json(*ratio) : Json();
    }
    json["measures"][std::string(text_of(measure).key)] = std::move(entry);
  }
  for (const Judgement& one : judge(block, series)) json["acceptance"].push_back(judgement_json(one));
  return json;
}

// A sentence for each ratio that is not given.
std::vector<std::string> refusals(const RelayBlock& block) {
  std::vector<std::string> sentences;
  for (const RelaySeries& series : block.series) {
    if (series.candidate().kind == RelayCandidate::Kind::forwarding) continue;
    for (std::size_t i = 0; i < kRelayMeasures; ++i) {
      const RelayMeasureText& text = text_of(measure_at(i));
      if (!text.ratio || series.values(measure_at(i)).empty()) continue;
      if (const auto why = refuse_ratio(block, measure_at(i), series)) {
        sentences.push_back(fmt::format("no ratio for {} {}: {}", series.candidate().name, text.key, *why));
      }
    }
  }
  return sentences;
}

}  // namespace

std::string table(const RelayBlock& block) {
  std::string text =
      fmt::format("\n{} bytes, {} allocation(s), underlay {}: median (low-high), ratio to coturn; up: client to peer\n",
                  block.payload_bytes, block.allocations, name_of(block.underlay));
  std::vector<std::string> columns;
  for (const RelaySeries& series : block.series) columns.push_back(series.candidate().name);
  text += heading_line(columns, kColumnWidth);
  for (std::size_t i = 0; i < kRelayMeasures; ++i) {
    const RelayMeasure measure = measure_at(i);
    const bool measured = std::any_of(block.series.begin(), block.series.end(),
                                      [&](const RelaySeries& series) { return !series.values(measure).empty(); });
    if (!measured) continue;
    columns.clear();
    for (const RelaySeries& series : block.series) columns.push_back(cell_of(block, measure, series));
    text += table_line(text_of(measure).title, columns, kColumnWidth);
  }
  for (const std::string& refusal : refusals(block)) text += refusal + '\n';
  for (const RelaySeries& series : block.series) {
    for (const std::string& failure : series.failures()) {
      text += fmt::format("failed: {}: {}\n", series.candidate().name, failure);
    }
  }
  return text;
}

std::string acceptance_lines(const RelayBlock& block, const RelaySeries& series) {
  const std::vector<Judgement> judgements = judge(block, series);
  if (judgements.empty()) return {};
  return fmt::format("\n{}, {} bytes, {} allocation(s), underlay {}\n", series.candidate().name, block.payload_bytes,
                     block.allocations, name_of(block.underlay)) +
         judgement_lines(judgements, kRuleWidth);
}

std::string acceptance_line(const Judgement& judgement) {
  return judgement_line(judgement, kRuleWidth);
}

Json relay_report(const RelayBenchOptions& options, const Machine& machine, const std::vector<RelayBlock>& blocks) {
  Json json = report_head("relay", options.command, machine);
  json["rounds"] = options.rounds;
  for (const RelayBlock& block : blocks) {
    Json entry{{"payload_bytes", block.payload_bytes},
               {"allocations", block.allocations},
               {"underlay", name_of(block.underlay)},
               {"ratios_refused", refusals(block)}};
    for (const RelaySeries& series : block.series) entry["candidates"].push_back(series_json(block, series));
    json["blocks"].push_back(std::move(entry));
  }
  for (const Judgement& one : judge_flatness(blocks)) {
    json["flatness"].push_back(judgement_json(one));
  }
  return json;
}

}  // namespace fireline::bench
