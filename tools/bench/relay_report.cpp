// Tables and JSON of `fireline-bench relay`.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/bench/relay_bench.h"

namespace fireline::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kTitleWidth = 30;
constexpr std::size_t kColumnWidth = 30;

RelayMeasure measure_at(std::size_t index) {
  return static_cast<RelayMeasure>(index);
}

std::string cell(const RelayBlock& block, RelayMeasure measure, const RelaySeries& series) {
  const auto summary = summarize(series.values(measure));
  if (!summary) return "-";
  const int digits = text_of(measure).digits;
  std::string text =
      fmt::format("{:.{}f} ({:.{}f}-{:.{}f})", summary->median, digits, summary->low, digits, summary->high, digits);
  if (text_of(measure).ratio) {
    if (const auto ratio = ratio_to_coturn(block, measure, series)) text += fmt::format(" {:.2f}x", *ratio);
  }
  return text;
}

const char* verdict_word(Verdict verdict) {
  return verdict == Verdict::pass ? "PASS" : verdict == Verdict::fail ? "FAIL" : "----";
}

Json series_json(const RelayBlock& block, const RelaySeries& series) {
  Json json{{"name", series.candidate().name}, {"program", series.candidate().binary}, {"failures", series.failures()}};
  for (std::size_t i = 0; i < kRelayMeasures; ++i) {
    const RelayMeasure measure = measure_at(i);
    const auto summary = summarize(series.values(measure));
    if (!summary) continue;
    Json entry{{"median", summary->median},
               {"low", summary->low},
               {"high", summary->high},
               {"rounds", series.values(measure)}};
    if (text_of(measure).ratio) {
      const auto ratio = ratio_to_coturn(block, measure, series);
      entry["ratio_to_coturn"] = ratio ? Json(*ratio) : Json();
    }
    json["measures"][std::string(text_of(measure).key)] = std::move(entry);
  }
  for (const Judgement& one : judge(block, series)) {
    json["acceptance"].push_back({{"verdict", verdict_word(one.verdict)}, {"rule", one.rule}, {"figure", one.figure}});
  }
  return json;
}

}  // namespace

std::string table(const RelayBlock& block) {
  std::string text =
      fmt::format("\n{} bytes, {} allocation(s), underlay {}: median (low-high), ratio to coturn; up: client to peer\n",
                  block.payload_bytes, block.allocations, name_of(block.underlay));
  text += fmt::format("{:<{}}", "", kTitleWidth);
  for (const RelaySeries& series : block.series) text += fmt::format("{:<{}}", series.candidate().name, kColumnWidth);
  text += '\n';
  for (std::size_t i = 0; i < kRelayMeasures; ++i) {
    const RelayMeasure measure = measure_at(i);
    const bool measured = std::any_of(block.series.begin(), block.series.end(),
                                      [&](const RelaySeries& series) { return !series.values(measure).empty(); });
    if (!measured) continue;
    text += fmt::format("{:<{}}", text_of(measure).title, kTitleWidth);
    for (const RelaySeries& series : block.series) {
      text += fmt::format("{:<{}}", cell(block, measure, series), kColumnWidth);
    }
    while (text.back() == ' ') text.pop_back();
    text += '\n';
  }
  for (const RelaySeries& series : block.series) {
    if (series.candidate().kind == RelayCandidate::Kind::forwarding) continue;
    for (std::size_t i = 0; i < kRelayMeasures; ++i) {
      if (!text_of(measure_at(i)).ratio || series.values(measure_at(i)).empty()) continue;
      const auto why = refuse_ratio(block, measure_at(i), series);
      if (why)
        text += fmt::format("no ratio for {} {}: {}\n", series.candidate().name, text_of(measure_at(i)).key, *why);
    }
    for (const std::string& failure : series.failures()) {
      text += fmt::format("failed: {}: {}\n", series.candidate().name, failure);
    }
  }
  return text;
}

std::string acceptance_lines(const RelayBlock& block, const RelaySeries& series) {
  const std::vector<Judgement> judgements = judge(block, series);
  if (judgements.empty()) return {};
  std::string text = fmt::format("\n{}, {} bytes, {} allocation(s), underlay {}\n", series.candidate().name,
                                 block.payload_bytes, block.allocations, name_of(block.underlay));
  for (const Judgement& one : judgements) text += acceptance_line(one) + "\n";
  return text;
}

std::string acceptance_line(const Judgement& judgement) {
  return fmt::format("{}  {:<44} {}", verdict_word(judgement.verdict), judgement.rule, judgement.figure);
}

std::string json_report(const RelayBenchOptions& options, const Machine& machine,
                        const std::vector<RelayBlock>& blocks) {
  Json json{{"command", options.command},
            {"version", FIRELINE_VERSION},
            {"machine",
             {{"cores", machine.cores},
              {"cpu", machine.cpu},
              {"kernel", machine.kernel},
              {"load_average_before", machine.load}}},
            {"rounds", options.rounds}};
  for (const RelayBlock& block : blocks) {
    Json entry{{"payload_bytes", block.payload_bytes},
               {"allocations", block.allocations},
               {"underlay", name_of(block.underlay)}};
    for (const RelaySeries& series : block.series) entry["candidates"].push_back(series_json(block, series));
    json["blocks"].push_back(std::move(entry));
  }
  for (const Judgement& one : judge_flatness(blocks)) {
    json["flatness"].push_back({{"verdict", verdict_word(one.verdict)}, {"rule", one.rule}, {"figure", one.figure}});
  }
  return json.dump(2) + "\n";
}

}  // namespace fireline::bench
