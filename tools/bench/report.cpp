#include "tools/bench/report.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tools/bench/acceptance.h"

namespace fireline::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kTitleWidth = 28;
constexpr std::size_t kColumnWidth = 28;

Measure measure_at(std::size_t index) {
  return static_cast<Measure>(index);
}

std::string cell(const Block& block, Measure measure, const Series& series) {
  const auto summary = series.summary(measure);
  if (!summary) return "-";
  const int digits = text_of(measure).digits;
  std::string text =
      fmt::format("{:.{}f} ({:.{}f}-{:.{}f})", summary->median, digits, summary->low, digits, summary->high, digits);
  if (text_of(measure).ratio && series.candidate().kind != Candidate::Kind::forwarder) {
    if (const auto ratio = ratio_to_forwarder(block, measure, series)) text += fmt::format(" {:.2f}x", *ratio);
  }
  return text;
}

std::string verdict_word(Verdict verdict) {
  return verdict == Verdict::pass ? "PASS" : verdict == Verdict::fail ? "FAIL" : "----";
}

Json summary_json(const std::vector<double>& values) {
  const auto summary = summarize(values);
  if (!summary) return nullptr;
  return {{"median", summary->median}, {"low", summary->low}, {"high", summary->high}, {"rounds", values}};
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
  if (series.candidate().fireline) {
    for (const Judgement& one : judge(block, series)) {
      json["acceptance"].push_back(
          {{"verdict", verdict_word(one.verdict)}, {"rule", one.rule}, {"figure", one.figure}});
    }
  }
  return json;
}

}  // namespace

Machine describe_machine() {
  Machine machine;
  machine.cores = std::thread::hardware_concurrency();
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line) && machine.cpu.empty();) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) machine.cpu = line.substr(colon + 2);
  }
  utsname names{};
  if (uname(&names) == 0) machine.kernel = names.release;
  std::ifstream("/proc/loadavg") >> machine.load;
  return machine;
}

std::string table(const Block& block) {
  std::string text =
      fmt::format("\nMTU {}, underlay {}: median (low-high), ratio to forwarder\n", block.mtu, name_of(block.underlay));
  text += fmt::format("{:<{}}", "", kTitleWidth);
  for (const Series& series : block.series) text += fmt::format("{:<{}}", series.candidate().label(), kColumnWidth);
  text += '\n';
  for (std::size_t i = 0; i < kMeasures; ++i) {
    const Measure measure = measure_at(i);
    const bool measured = std::any_of(block.series.begin(), block.series.end(),
                                      [&](const Series& series) { return !series.values(measure).empty(); });
    if (!measured) continue;
    text += fmt::format("{:<{}}", text_of(measure).title, kTitleWidth);
    for (const Series& series : block.series) {
      text += fmt::format("{:<{}}", cell(block, measure, series), kColumnWidth);
    }
    while (text.back() == ' ') text.pop_back();
    text += '\n';
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
  std::string text =
      fmt::format("\n{}, MTU {}, underlay {}\n", series.candidate().label(), block.mtu, name_of(block.underlay));
  for (const Judgement& one : judge(block, series)) {
    text += fmt::format("{}  {:<72} {}\n", verdict_word(one.verdict), one.rule, one.figure);
  }
  return text;
}

std::string json_report(const TunnelBenchOptions& options, const Machine& machine, const std::vector<Block>& blocks) {
  Json json{{"command", options.command},
            {"version", FIRELINE_VERSION},
            {"machine",
             {{"cores", machine.cores},
              {"cpu", machine.cpu},
              {"kernel", machine.kernel},
              {"load_average_before", machine.load}}},
            {"rounds", options.rounds},
            {"seconds", options.seconds}};
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
  return json.dump(2) + "\n";
}

}  // namespace fireline::bench
