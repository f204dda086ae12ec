// The benchmarks' pages: axes, plots and what is refused. How they look is tests/system/bench_page.py's.
#include "tools/bench/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "tests/unit/io/temporary_directory.h"
#include "tools/bench/plot.h"
#include "tools/bench/plot_scale.h"
#include "tools/bench/process.h"
#include "tools/bench/relay_bench.h"
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

std::string html_of(const nlohmann::ordered_json& report) {
  const auto page = report_page(report);
  EXPECT_TRUE(page) << page.error();
  return page ? page_html(*page) : std::string();
}

TEST(ReportPage, ARelaysReportShowsItBesideCoturn) {
  std::vector<RelayBlock> blocks;
  for (const std::size_t allocations : {1UZ, 100UZ}) {
    RelayBlock& block = blocks.emplace_back(RelayBlock{Underlay::plain, 1280, allocations, {}});
    for (const auto& [kind, name, rate] : {std::tuple{RelayCandidate::Kind::fireline, "fireline", 400},
                                           {RelayCandidate::Kind::coturn, "coturn", 80},
                                           {RelayCandidate::Kind::forwarding, "forwarding", 1600}}) {
      RelayCandidate candidate;
      candidate.kind = kind;
      candidate.name = name;
      RelaySeries& series = block.series.emplace_back(candidate);
      for (int round = 0; round < 3; ++round) series.add(RelayMeasure::train_rate_up, rate);
    }
    block.series[0].add(RelayMeasure::single_cpu, 4.25);
    block.series[1].add_failure("latency: no answer");
  }
  for (int round = 0; round < 9; ++round) blocks[1].series[2].add(RelayMeasure::train_rate_up, 100);  // a slow lab
  const auto html = html_of(relay_report({}, {}, blocks));
  for (const auto* part : {"no ratio for fireline train_rate_up_kpps", "<title>fireline-bench relay</title>",
                           "fireline: 400", "coturn: 80", "class=\"row veth\"", "5.00\u00d7",
                           "1280 bytes, 100 allocation(s), underlay plain", "failed: coturn: latency: no answer",
                           "Thresholds, fireline", "single_cpu_us of 100 &lt;= 1.2 x of 1 allocations"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
  EXPECT_THAT(html, Not(HasSubstr("<h3>Round trip</h3>"))) << "what was not measured has no plot";
}

TEST(ReportPage, FramesInXdpStandBesideTheirYardstick) {
  auto report = report_head("xdp", "fireline-bench xdp", {});
  const auto figure = [](const char* name, double ns) {
    return nlohmann::ordered_json{{"name", name}, {"ns", summary_json({ns, ns, ns})}};
  };
  report["groups"] = {
      {{"title", "One hop by bounce, 1 channel"},
       {"baseline", "plain hop"},
       {"figures", {figure("empty program", 10), figure("plain hop", 80), figure("channel4_to_udp4", 100)}}},
      {{"title", "Frames that are dropped"}, {"baseline", ""}, {"figures", {figure("too short", 20)}}}};
  report["judgements"] = {judgement_json({Verdict::fail, "a hop <= 90 ns", "100 ns"})};
  const auto html = html_of(report);
  for (const auto* part :
       {"channel4 to udp4: 100", "1.25\u00d7", "100 ns", "One hop by bounce, 1 channel: channel4 to udp4",
        "of the plain hop", "too short: 20", "10.00", "a hop &lt;= 90 ns", "FAIL"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
}

TEST(ReportPage, ACrowdsRatiosAreItsFirstFigures) {
  auto report = report_head("crowd", "fireline-bench crowd", {});
  const auto series = [](int peers, double ns) {
    return nlohmann::ordered_json{{"peers", peers}, {"one alone, sent ns", summary_json({ns, ns})}};
  };
  report["busy"] = {series(1, 3000), series(10'000, 3300)};
  report["judgements"] = {judgement_json({Verdict::pass, "one alone, sent, 10000 peers <= 1.20 of one", "1.10"})};
  const auto html = html_of(report);
  for (const auto* part : {"1.10\u00d7", "10000 peers: 3300", "1 peer: 3000", "peers that take turns", "PASS"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
}

TEST(ReportFiles, WhatIsMissedIsTheExitCodeWhereItWasAskedFor) {
  const io::TemporaryDirectory directory;
  const auto report = report_head("xdp", "fireline-bench xdp", {});
  const ReportFiles files{directory.path() + "/r.json", {}};
  const std::vector<Judgement> missed{{Verdict::pass, "one", "1"}, {Verdict::fail, "another", "2"}};
  const std::vector<Judgement> unknown{{Verdict::pass, "one", "1"}, {Verdict::not_judged, "another", "-"}};
  EXPECT_EQ(conclude(report, missed, files, true), 2);
  EXPECT_EQ(conclude(report, missed, files, false), 0);
  EXPECT_EQ(conclude(report, {}, files, true), 2) << "nothing was judged";
  EXPECT_EQ(conclude(report, {}, files, false), 0);
  EXPECT_EQ(conclude(report, std::vector{missed.front()}, files, true), 0);
  EXPECT_EQ(conclude(report, unknown, files, true), 2);
  EXPECT_THROW((void)conclude(report, {}, {.json = directory.path() + "/no/folder", .html = {}}, true), BenchError);
  std::ifstream file(files.json);
  EXPECT_EQ(nlohmann::ordered_json::parse(file).at("judgements").size(), 2u);
}

TEST(ReportPage, WhatIsNoReportIsASentence) {
  const struct {
    std::string rule;
    std::string text;
    std::string sentence;
  } rows[] = {
      {"a list", "[]", "this is no report of fireline-bench: --json writes one"},
      {"another benchmark", R"({"benchmark": "none"})", "there is no page for the benchmark none"},
      {"nothing but a name", R"({"benchmark": "udp"})", "the report of udp is not complete"},
      {"a name that is no text", R"({"benchmark": "aead", "aead": 7, "handshake": []})",
       "the report of aead is not complete"},
      {"xdp without its groups", R"({"benchmark": "xdp", "judgements": []})", "the report of xdp is not complete"},
      {"a relay without blocks", R"({"benchmark": "relay"})", "the report of relay is not complete"},
      {"a crowd without judgements", R"({"benchmark": "crowd"})", "the report of crowd is not complete"},
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
