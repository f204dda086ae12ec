#include "tools/bench/report_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tools/bench/process.h"
#include "tools/bench/report_page.h"
#include "tools/bench/report_parts.h"

namespace fireline::bench {
namespace {

Result<void, std::string> write_html(const std::string& path, const nlohmann::ordered_json& report) {
  const auto page = report_page(report);
  if (!page) return err(page.error());
  return write_file(path, page_html(*page));
}

// Read by the library that wrote it.
Result<nlohmann::ordered_json, std::string> read_report(const std::string& path) {
  std::ifstream file(path);
  if (!file) return err(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  auto report = nlohmann::ordered_json::parse(file, nullptr, false);
  if (report.is_discarded()) return err(path + " is no JSON: --json of fireline-bench writes what is needed here");
  return report;
}

}  // namespace

Result<void, std::string> write_report(const ReportFiles& files, const nlohmann::ordered_json& report) {
  if (!files.json.empty()) {
    if (auto written = write_file(files.json, report.dump(2) + "\n"); !written) return written;
  }
  if (files.html.empty()) return {};
  return write_html(files.html, report);
}

int conclude(nlohmann::ordered_json report, std::span<const Judgement> judgements, const ReportFiles& files,
             bool check) {
  std::size_t width = 0;
  bool missed = false;
  report["judgements"] = nlohmann::ordered_json::array();
  for (const Judgement& one : judgements) {
    width = std::max(width, one.rule.size());
    missed |= one.verdict != Verdict::pass;
    report["judgements"].push_back(judgement_json(one));
  }
  fmt::print("{}", judgement_lines(judgements, width));
  if (const auto written = write_report(files, report); !written) throw BenchError(written.error());
  if (check && judgements.empty()) {
    fmt::print("\n--check: nothing was judged: what is compared are two numbers, and this run has one\n");
  }
  return check && (missed || judgements.empty()) ? 2 : 0;
}

int write_page(const std::string& report_path, const std::string& html_path) {
  const auto report = read_report(report_path);
  const auto written = report ? write_html(html_path, *report) : Result<void, std::string>(err(report.error()));
  if (written) return 0;
  fmt::print(stderr, "fireline-bench page: {}\n", written.error());
  return 1;
}

}  // namespace fireline::bench
