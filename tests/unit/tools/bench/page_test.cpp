// The benchmarks' pages: axes, plots and what is refused. How they look is tests/system/bench_page.py's.
#include "tools/bench/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/unit/io/temporary_directory.h"
#include "tools/bench/plot.h"
#include "tools/bench/plot_scale.h"
#include "tools/bench/report.h"
#include "tools/bench/report_files.h"
#include "tools/bench/report_page.h"

namespace fireline::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(PlotScale, LinearAxesEndAtARoundNumberWithFewTicks) {
  const struct {
    std::string rule;
    double most;
    std::vector<double> ticks;
  } rows[] = {
      {"a round number is the end itself", 10, {0, 5, 10}},
      {"what is beyond a tick gets another", 10.1, {0, 5, 10, 15}},
      {"small numbers", 0.07, {0, 0.02, 0.04, 0.06, 0.08}},
      {"large numbers", 7600, {0, 2000, 4000, 6000, 8000}},
      {"nothing at all still has an axis", 0, {0, 0.5, 1}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto scale = PlotScale::linear(row.most);
    ASSERT_EQ(scale.ticks().size(), row.ticks.size());
    for (std::size_t i = 0; i < row.ticks.size(); ++i) EXPECT_NEAR(scale.ticks()[i], row.ticks[i], 1e-9);
  }
  const auto scale = PlotScale::linear(10);
  EXPECT_DOUBLE_EQ(scale.percent(2.5), 25);
  EXPECT_DOUBLE_EQ(scale.percent(11), 100) << "held inside";
  EXPECT_DOUBLE_EQ(scale.percent(-1), 0);
}

TEST(PlotScale, LogarithmicAxesHoldBothEndsAndHaveSixTicksAtMost) {
  const struct {
    std::string rule;
    double least;
    double most;
    std::vector<std::string> ticks;
  } rows[] = {
      {"one decade", 0.1, 1, {"0.1", "0.2", "0.5", "1"}},
      {"ends between numbers move outwards", 0.06, 3, {"0.05", "0.2", "1", "5"}},
      {"many decades are thinned", 0.001, 1000, {"0.001", "0.02", "0.5", "10", "1000"}},
      {"a single value has an axis", 2, 2, {"2", "5"}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto scale = PlotScale::logarithmic(row.least, row.most);
    std::vector<std::string> ticks;
    for (const double tick : scale.ticks()) ticks.push_back(tick_text(tick));
    EXPECT_EQ(ticks, row.ticks);
    EXPECT_LE(scale.ticks().size(), 6u);
    EXPECT_LE(scale.ticks().front(), row.least);
    EXPECT_GE(scale.ticks().back() * (1 + 1e-9), row.most);
    EXPECT_DOUBLE_EQ(scale.percent(scale.ticks().front()), 0);
    EXPECT_NEAR(scale.percent(scale.ticks().back()), 100, 1e-9);
  }
  EXPECT_NEAR(PlotScale::logarithmic(0.1, 10).percent(1), 50, 1e-9);
  EXPECT_DOUBLE_EQ(PlotScale::logarithmic(0.1, 10).percent(0), 0) << "zero has no logarithm";
}

TEST(Plot, NamesHaveTheirColourOnAllOfAPage) {
  PlotColours colours;
  EXPECT_EQ(colours.of("fireline"), "s0");
  EXPECT_EQ(colours.of("forwarder"), "forwarder");
  EXPECT_EQ(colours.of("wireguard-go"), "s1");
  EXPECT_EQ(colours.of("fireline"), "s0");
}

TEST(Plot, ABarSaysItsMedianAndSpreadAndEscapesItsName) {
  const auto html = bar_plot({"TCP", "Gbit/s", 2}, {{"", {{"<b>&\"'", "s0", {4, 6, 5}, "0.5x"}}}});
  EXPECT_THAT(html, HasSubstr("aria-label=\"&lt;b&gt;&amp;&quot;&#39;: 5.00\""));
  EXPECT_THAT(html, HasSubstr("rounds: 4.00, 6.00, 5.00"));
  EXPECT_THAT(html, HasSubstr("width=\"83.33%\""));  // 5 of 6
  EXPECT_THAT(html, HasSubstr("<em>0.5x</em>"));
  EXPECT_THAT(html, Not(HasSubstr("<b>&")));
  EXPECT_EQ(bar_plot({"TCP", "", 2}, {{"empty", {}}}), "");
  EXPECT_EQ(curve_plot({"TCP", "", 2}, {}, {}), "");
}

Block measured_block() {
  Candidate candidate;
  candidate.name = "fireline";
  candidate.fireline = true;
  Block block{Underlay::plain, 1420, {}, {}};
  Series& series = block.series.emplace_back(candidate);
  for (const double figure : {5.5, 5.4, 5.75}) series.add(Measure::tcp_one, figure);
  series.add_pings(&Pings::idle, {0.3, 0.1, 0.2, 0.4});
  return block;
}

TEST(ReportPage, ATunnelsReportBecomesAPageThatHoldsIt) {
  const Machine machine{.cores = 2, .cpu = "A & B", .kernel = "6.1", .load = 0.5};
  TunnelBenchOptions options;
  options.command = "fireline-bench tunnel </script>";
  const auto report = tunnel_report(options, machine, {measured_block()});
  EXPECT_THAT(report.at("blocks")[0].at("candidates")[0].at("ping_idle").at("quantiles_ms").get<std::vector<double>>(),
              ::testing::SizeIs(101));
  const auto page = report_page(report);
  ASSERT_TRUE(page) << page.error();
  const auto html = page_html(*page);
  for (const auto* part : {"<title>fireline-bench tunnel</title>", "fireline: 5.50", "2 cores, A &amp; B",
                           "Latency, idle", "Round by round", "p50 0.20, p99 0.40 ms", "MTU 1420, underlay plain"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
  EXPECT_THAT(html, Not(HasSubstr("<h3>UDP goodput</h3>"))) << "what was not measured has no plot";
  const auto begin = html.find("id=\"report\">") + 12;
  const auto held = html.substr(begin, html.find("</script>", begin) - begin);
  EXPECT_EQ(nlohmann::ordered_json::parse(held), report) << "also with an element's end in it";
}

TEST(ReportPage, WhatIsNoReportIsASentence) {
  const struct {
    std::string rule;
    std::string text;
    std::string sentence;
  } rows[] = {
      {"a list", "[]", "this is no report of fireline-bench: --json writes one"},
      {"another benchmark", R"({"benchmark": "xdp"})", "there is no page for the benchmark xdp"},
      {"nothing but a name", R"({"benchmark": "udp"})", "the report of udp is not complete"},
      {"a name that is no text", R"({"benchmark": "aead", "aead": 7, "handshake": []})",
       "the report of aead is not complete"},
      {"an empty list of blocks", R"({"benchmark": "tunnel", "blocks": []})", "the report of tunnel is not complete"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto page = report_page(nlohmann::ordered_json::parse(row.text));
    ASSERT_FALSE(page);
    EXPECT_THAT(page.error(), HasSubstr(row.sentence));
  }
}

TEST(ReportFiles, EachIsWrittenWhereItWasAskedFor) {
  const io::TemporaryDirectory directory;
  const auto report = tunnel_report({}, {}, {measured_block()});
  const ReportFiles files{directory.path() + "/r.json", directory.path() + "/r.html"};
  ASSERT_TRUE(write_report(files, report));
  EXPECT_EQ(write_page(files.json, directory.path() + "/again.html"), 0);
  EXPECT_EQ(write_page(directory.path() + "/none", files.html), 1);
  EXPECT_FALSE(write_report({.json = directory.path() + "/no/folder", .html = {}}, report));
}

}  // namespace
}  // namespace fireline::bench
