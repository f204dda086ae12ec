// When a ratio may be given, and how the thresholds are judged.
#include "tools/bench/results.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "tools/bench/acceptance.h"
#include "tools/bench/report.h"

namespace fireline::bench {
namespace {

Series series_of(Candidate::Kind kind, const std::string& name, double tcp) {
  Candidate candidate;
  candidate.kind = kind;
  candidate.name = name;
  candidate.fireline = kind == Candidate::Kind::tunnel;
  Series series(candidate);
  series.add(Measure::tcp_one, tcp);
  return series;
}

Block block_of(double tunnel, double forwarder, double veth) {
  Block block{Underlay::plain, 1420, {}, {}};
  block.series.push_back(series_of(Candidate::Kind::tunnel, "fireline", tunnel));
  block.series.push_back(series_of(Candidate::Kind::forwarder, "forwarder", forwarder));
  block.series.push_back(series_of(Candidate::Kind::veth, "veth", veth));
  return block;
}

TEST(Ratio, IsTheQuotientOfMedians) {
  Block block = block_of(6, 10, 15);
  block.series[0].add(Measure::tcp_one, 7);
  block.series[0].add(Measure::tcp_one, 1);
  EXPECT_DOUBLE_EQ(ratio_to_forwarder(block, Measure::tcp_one, block.series[0]).value(), 0.6);
}

TEST(Ratio, AForwarderBelow55PercentOfVethIsNoYardstick) {
  Block block = block_of(6, 8.2, 15);
  ASSERT_TRUE(refuse_ratios(block).has_value());
  EXPECT_NE(refuse_ratios(block)->find("8.20 Gbit/s is 54.7 % of veth 15.00"), std::string::npos)
      << *refuse_ratios(block);
  EXPECT_FALSE(ratio_to_forwarder(block, Measure::tcp_one, block.series[0]).has_value());
  EXPECT_FALSE(refuse_ratios(block_of(6, 8.25, 15)).has_value()) << "exactly 55 % is enough";
}

TEST(Ratio, NobodyVouchesForAForwarderThatRanAlone) {
  Block block = block_of(6, 10, 15);
  block.series.pop_back();
  ASSERT_TRUE(refuse_ratios(block).has_value());
  block.series.pop_back();
  ASSERT_TRUE(refuse_ratios(block).has_value());
  EXPECT_NE(refuse_ratios(block)->find("forwarder did not run"), std::string::npos);
}

TEST(Ratio, AGeneratorMustMakeTwiceTheRate) {
  Block block = block_of(6, 10, 15);
  block.series[0].add(Measure::flood_goodput, 4);
  block.series[1].add(Measure::flood_goodput, 8);
  EXPECT_TRUE(refuse_ratio(block, Measure::flood_goodput, block.series[0]).has_value()) << "it was never measured";
  const struct {
    std::string rule;
    double alone;
    double fireline;
    double forwarder;
    bool refused;
  } rows[] = {
      {"less than twice the candidate's rate", 7.9, 4, 5, true},
      {"twice the candidate's rate", 8, 4, 5, false},
      {"less than one and a half times the yardstick's rate", 11.9, 4, 8, true},
      {"one and a half times the yardstick's rate", 12, 4, 8, false},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    Block one = block_of(6, 10, 15);
    one.series[0].add(Measure::flood_goodput, row.fireline);
    one.series[1].add(Measure::flood_goodput, row.forwarder);
    one.generators.flood = {row.alone};
    EXPECT_EQ(refuse_ratio(one, Measure::flood_goodput, one.series[0]).has_value(), row.refused);
    EXPECT_EQ(ratio_to_forwarder(one, Measure::flood_goodput, one.series[0]).has_value(), !row.refused);
  }
  EXPECT_FALSE(refuse_ratio(block, Measure::tcp_one, block.series[0]).has_value()) << "TCP needs no generator";
}

Verdict verdict_of(const Block& block, const std::string& start) {
  for (const Judgement& one : judge(block, block.series[0])) {
    if (one.rule.starts_with(start)) return one.verdict;
  }
  ADD_FAILURE() << "no rule " << start;
  return Verdict::not_judged;
}

struct Row {
  std::string rule;
  Measure measure;
  double fireline;
  double forwarder;
  std::string start;
  Verdict verdict;
};

TEST(Acceptance, EachThresholdOnItsEdge) {
  const Row rows[] = {
      {"55 % of the forwarder passes", Measure::tcp_four, 5.5, 10, "TCP 4 streams", Verdict::pass},
      {"54 % fails", Measure::tcp_four, 5.4, 10, "TCP 4 streams", Verdict::fail},
      {"reverse is judged by itself", Measure::tcp_reverse, 5.4, 10, "TCP reverse", Verdict::fail},
      {"2.6 times the CPU passes", Measure::cpu_per_gigabyte, 2.6, 1, "CPU s/GB", Verdict::pass},
      {"2.7 times the CPU fails", Measure::cpu_per_gigabyte, 2.7, 1, "CPU s/GB", Verdict::fail},
      {"40 % of the flood passes", Measure::flood_goodput, 4, 10, "UDP GSO flood", Verdict::pass},
      {"39 % of the flood fails", Measure::flood_goodput, 3.9, 10, "UDP GSO flood", Verdict::fail},
      {"49 % of the singles fails", Measure::single_goodput, 0.49, 1, "UDP single", Verdict::fail},
      {"a ping of 0.25 ms passes whatever the forwarder does", Measure::ping_idle_average, 0.25, 0.01, "ping idle",
       Verdict::pass},
      {"a slower ping passes within 1.5 times the forwarder", Measure::ping_idle_average, 0.6, 0.4, "ping idle",
       Verdict::pass},
      {"a slower ping fails above that", Measure::ping_idle_average, 0.61, 0.4, "ping idle", Verdict::fail},
      {"a loaded ping of 1.6 ms fails beside 1 ms", Measure::ping_loaded_average, 1.6, 1, "ping under TCP",
       Verdict::fail},
      {"a single reorder fails", Measure::udp_reorders, 1, 0, "reorders, UDP", Verdict::fail},
      {"none passes", Measure::udp_reorders, 0, 0, "reorders, UDP", Verdict::pass},
      {"19.9 packets a call fail", Measure::tun_write_packets, 19.9, 0, "packets/TUN write", Verdict::fail},
      {"20 packets a call pass", Measure::udp_receive_packets, 20, 0, "packets/UDP receive", Verdict::pass},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    Block block = block_of(6, 10, 15);
    block.generators = {{1000}, {1000}, {1000}};
    block.series[0].add(row.measure, row.fireline);
    block.series[1].add(row.measure, row.forwarder);
    EXPECT_EQ(verdict_of(block, row.start), row.verdict);
  }
}

TEST(Acceptance, OverloadIsComparedWithItself) {
  Block block = block_of(6, 10, 15);
  block.generators.paced = {100};
  EXPECT_EQ(verdict_of(block, "UDP goodput at twice"), Verdict::not_judged);
  block.series[0].add(Measure::loss_free_rate, 5);
  block.series[0].add(Measure::loss_free_goodput, 5);
  block.series[0].add(Measure::overload_goodput, 4.5);
  EXPECT_EQ(verdict_of(block, "UDP goodput at twice"), Verdict::not_judged) << "what was offered is not known";
  block.series[0].add(Measure::overload_factor, 1.7);
  EXPECT_EQ(verdict_of(block, "UDP goodput at twice"), Verdict::not_judged) << "the sender did not make it";
  block.series[0].add(Measure::overload_factor, 2.0);
  EXPECT_EQ(verdict_of(block, "UDP goodput at twice"), Verdict::pass);
  block.series[0].add(Measure::overload_goodput, 3);
  EXPECT_EQ(verdict_of(block, "UDP goodput at twice"), Verdict::fail);
}

TEST(Acceptance, WithoutAYardstickNothingRelativeIsJudged) {
  const Block block = block_of(6, 5, 15);
  EXPECT_EQ(verdict_of(block, "TCP 1 stream"), Verdict::not_judged);
  EXPECT_EQ(judge(block, block.series[0]).size(), judge(block_of(6, 10, 15), block.series[0]).size());
}

TEST(Report, TheTableGivesMedianSpreadRatioAndTheReasonForNone) {
  Block block = block_of(6, 10, 15);
  EXPECT_NE(table(block).find("6.00 (6.00-6.00) 0.60x"), std::string::npos) << table(block);
  block = block_of(6, 5, 15);
  EXPECT_NE(table(block).find("no ratios: forwarder 5.00 Gbit/s is 33.3 % of veth"), std::string::npos) << table(block);
  EXPECT_EQ(table(block).find("x\n"), std::string::npos);
}

TEST(Acceptance, NodesAreComparedWithTheTunnelAndWithEachOther) {
  for (const auto& [direct, relayed, first, second] :
       {std::tuple{9.5, 5.7, Verdict::pass, Verdict::pass}, {9.4, 5.6, Verdict::fail, Verdict::fail}}) {
    Block block{Underlay::software_gso, 1280, {}, {}};
    block.series.push_back(series_of(Candidate::Kind::tunnel, "fireline", 10));
    block.series.push_back(series_of(Candidate::Kind::node, "node", direct));
    block.series.push_back(series_of(Candidate::Kind::node_relayed, "node-relayed", relayed));
    EXPECT_EQ(judge(block, block.series[1]).front().verdict, first) << direct;
    EXPECT_EQ(judge(block, block.series[2]).front().verdict, second) << relayed;
  }
  Block foreign{Underlay::software_gso, 1280, {}, {}};
  Candidate other;
  other.name = "wireguard-go";
  foreign.series.emplace_back(other);
  foreign.series.back().add(Measure::tcp_one, 0.6);
  foreign.series.push_back(series_of(Candidate::Kind::tunnel, "fireline", 10));
  foreign.series.push_back(series_of(Candidate::Kind::node, "node", 5));
  EXPECT_EQ(judge(foreign, foreign.series[2]).front().verdict, Verdict::fail) << "a node against a foreign tunnel";
  Block alone{Underlay::software_gso, 1280, {}, {}};
  alone.series.push_back(series_of(Candidate::Kind::node, "node", 10));
  EXPECT_EQ(judge(alone, alone.series[0]).front().verdict, Verdict::not_judged);
}

}  // namespace
}  // namespace fireline::bench
