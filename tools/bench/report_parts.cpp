#include "tools/bench/report_parts.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tools/bench/revision.h"

namespace fireline::bench {

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

void print_heading(std::string_view command, const Machine& machine) {
  fmt::print("{}\n{} cores, {}, Linux {}, load average {:.2f}\n", command, machine.cores, machine.cpu, machine.kernel,
             machine.load);
  std::fflush(stdout);
}

void progress(std::string_view text) {
  fmt::print(stderr, "{}\n", text);
  std::fflush(stderr);
}

std::string cell(const std::optional<Summary>& summary, int digits, std::optional<double> ratio) {
  if (!summary) return "-";
  std::string text =
      fmt::format("{:.{}f} ({:.{}f}-{:.{}f})", summary->median, digits, summary->low, digits, summary->high, digits);
  if (ratio) text += fmt::format(" {:.2f}x", *ratio);
  return text;
}

std::string heading_line(std::span<const std::string> labels, std::size_t width) {
  std::string text(width, ' ');
  for (const std::string& label : labels) text += fmt::format("{:<{}}", label, width);
  text += '\n';
  return text;
}

std::string table_line(std::string_view title, std::span<const std::string> cells, std::size_t width) {
  std::string text = fmt::format("{:<{}}", title, width);
  for (const std::string& one : cells) text += fmt::format("{:<{}}", one, width);
  while (text.back() == ' ') text.pop_back();
  text += '\n';
  return text;
}

std::string_view verdict_word(Verdict verdict) noexcept {
  return verdict == Verdict::pass ? "PASS" : verdict == Verdict::fail ? "FAIL" : "----";
}

std::string judgement_line(const Judgement& judgement, std::size_t rule_width) {
  return fmt::format("{}  {:<{}} {}", verdict_word(judgement.verdict), judgement.rule, rule_width, judgement.figure);
}

std::string judgement_lines(std::span<const Judgement> judgements, std::size_t rule_width) {
  std::string text;
  for (const Judgement& one : judgements) text += judgement_line(one, rule_width) + "\n";
  return text;
}

nlohmann::ordered_json report_head(std::string_view benchmark, const std::string& command, const Machine& machine) {
  const std::time_t seconds = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%d %H:%M UTC", &parts);
  return {{"benchmark", benchmark}, {"command", command},  {"version", FIRELINE_VERSION},
          {"commit", kRevision},    {"date", date.data()}, {"machine", machine_json(machine)}};
}

nlohmann::ordered_json machine_json(const Machine& machine) {
  return {{"cores", machine.cores},
          {"cpu", machine.cpu},
          {"kernel", machine.kernel},
          {"load_average_before", machine.load}};
}

nlohmann::ordered_json summary_json(const std::vector<double>& values) {
  const auto summary = summarize(values);
  if (!summary) return nullptr;
  return {{"median", summary->median}, {"low", summary->low}, {"high", summary->high}, {"rounds", values}};
}

nlohmann::ordered_json judgement_json(const Judgement& judgement) {
  return {{"verdict", verdict_word(judgement.verdict)}, {"rule", judgement.rule}, {"figure", judgement.figure}};
}

Result<void, std::string> write_file(const std::string& path, std::string_view text) {
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) return err("cannot write " + path + ": check that its folder exists and is writable");
  return {};
}

}  // namespace fireline::bench
