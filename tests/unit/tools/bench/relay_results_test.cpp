// Ratios and judgements of relay figures, fairness, and the names of candidates.
#include "tools/bench/relay_results.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "tools/bench/relay_bench.h"
#include "tools/bench/relay_load.h"

namespace fireline::bench {
namespace {

using Kind = RelayCandidate::Kind;

RelayBlock block_of(double fireline, double coturn, double forwarding, RelayMeasure measure, int rounds = 9) {
  RelayBlock block{Underlay::plain, 1280, 1, {}};
  const auto add = [&](Kind kind, const char* name, double value) {
    RelaySeries series({kind, name, ""});
    for (int i = 0; i < rounds; ++i) series.add(measure, value);
    block.series.push_back(std::move(series));
  };
  add(Kind::fireline, "fireline", fireline);
  add(Kind::coturn, "coturn", coturn);
  add(Kind::forwarding, "forwarding", forwarding);
  return block;
}

const Judgement& judgement_of(const std::vector<Judgement>& all, std::string_view rule) {
  for (const Judgement& one : all) {
    if (one.rule.starts_with(rule)) return one;
  }
  static const Judgement none{Verdict::not_judged, "none", ""};
  return none;
}

TEST(RelayResults, NoRatioWithoutTwiceTheRateFromForwarding) {
  const RelayBlock enough = block_of(500, 100, 1000, RelayMeasure::train_rate_up);
  EXPECT_DOUBLE_EQ(ratio_to_coturn(enough, RelayMeasure::train_rate_up, enough.series[0]).value(), 5);
  const RelayBlock scarce = block_of(501, 100, 1000, RelayMeasure::train_rate_up);
  EXPECT_FALSE(ratio_to_coturn(scarce, RelayMeasure::train_rate_up, scarce.series[0]).has_value());
  EXPECT_FALSE(refuse_ratio(scarce, RelayMeasure::train_cpu, scarce.series[0]).has_value())
      << "CPU per packet is measured at 300 kpps at most";
  const RelayBlock slow = block_of(501, 100, 599, RelayMeasure::train_rate_up);
  EXPECT_TRUE(refuse_ratio(slow, RelayMeasure::train_cpu, slow.series[0]).has_value());
  EXPECT_FALSE(refuse_ratio(scarce, RelayMeasure::setups, scarce.series[0]).has_value());

  RelayBlock without = enough;
  without.series.pop_back();
  EXPECT_TRUE(refuse_ratio(without, RelayMeasure::train_rate_up, without.series[0]).has_value());
  EXPECT_TRUE(refuse_ratio(without, RelayMeasure::single_cpu, without.series[0]).has_value());
}

TEST(RelayResults, SinglesNeedForwardingOfTwiceTheFixedRate) {
  for (const double forwarded : {159.0, 160.0}) {
    RelayBlock block = block_of(1.8, 2.0, 0, RelayMeasure::single_cpu);
    block.series[2].add(RelayMeasure::single_flood_up, forwarded);
    EXPECT_EQ(refuse_ratio(block, RelayMeasure::single_cpu, block.series[0]).has_value(), forwarded < 160);
  }
}

TEST(RelayResults, JudgesAgainstCoturn) {
  struct Row {
    std::string_view rule;
    RelayMeasure measure;
    double fireline;
    double coturn;
    int rounds;
    Verdict verdict;
  };
  const Row rows[] = {
      {"four times the rate passes", RelayMeasure::train_rate_down, 400, 100, 9, Verdict::pass},
      {"less than four times fails", RelayMeasure::train_rate_down, 399, 100, 9, Verdict::fail},
      {"eight rounds do not judge", RelayMeasure::train_rate_down, 400, 100, 8, Verdict::not_judged},
      {"a third of the CPU passes", RelayMeasure::train_cpu, 1, 3.01, 9, Verdict::pass},
      {"more than a third fails", RelayMeasure::train_cpu, 1, 2.9, 9, Verdict::fail},
      {"twice the set-ups pass", RelayMeasure::setups, 200, 100, 9, Verdict::pass},
      {"less than twice fails", RelayMeasure::setups, 199, 100, 9, Verdict::fail},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const RelayBlock block = block_of(row.fireline, row.coturn, 1000, row.measure, row.rounds);
    const auto judgements = judge(block, block.series[0]);
    EXPECT_EQ(judgement_of(judgements, text_of(row.measure).key).verdict, row.verdict);
    EXPECT_TRUE(judge(block, block.series[1]).empty()) << "coturn is not judged";
  }
}

TEST(RelayResults, XdpIsJudgedByASenderOnEachCore) {
  for (const auto& [rate, verdict] : {std::pair{500.0, Verdict::pass}, {499.0, Verdict::fail}}) {
    RelayBlock block = block_of(rate, 100, 1000, RelayMeasure::cores_rate_up);
    RelaySeries xdp({Kind::fireline_xdp, "fireline-xdp", ""});
    for (const double value : block.series[0].values(RelayMeasure::cores_rate_up)) {
      xdp.add(RelayMeasure::cores_rate_up, value);
      xdp.add(RelayMeasure::train_rate_up, 1);
    }
    block.series[0] = std::move(xdp);
    const auto judgements = judge(block, block.series[0]);
    EXPECT_EQ(judgement_of(judgements, "cores_rate_up").verdict, verdict);
    EXPECT_EQ(judgement_of(judgements, "cores_rate_down").verdict, Verdict::not_judged);
    EXPECT_EQ(judgements.size(), 2u);
  }
}

TEST(RelayResults, AThresholdIsMissedOnlyWhereTheLabCarriesTwiceThat) {
  // The candidate is faster than half of the lab: how much more than the threshold it makes may be the lab's figure.
  const RelayBlock fast = block_of(700, 100, 800, RelayMeasure::train_rate_up);
  EXPECT_FALSE(ratio_to_coturn(fast, RelayMeasure::train_rate_up, fast.series[0]).has_value());
  const auto judgements = judge(fast, fast.series[0]);
  EXPECT_EQ(judgement_of(judgements, "train_rate_up").verdict, Verdict::pass);
  EXPECT_EQ(judgement_of(judgements, "train_rate_up").figure, "over 4.00 x (700.00 of 100.00), 9 rounds");
  for (const auto& [fireline, forwarding, verdict] : {std::tuple{400.0, 799.0, Verdict::pass},
                                                      {399.0, 799.0, Verdict::not_judged},
                                                      {399.0, 800.0, Verdict::fail},
                                                      {400.0, 200.0, Verdict::pass},
                                                      {400.0, 199.0, Verdict::not_judged}}) {
    const RelayBlock block = block_of(fireline, 100, forwarding, RelayMeasure::train_rate_up);
    EXPECT_EQ(judgement_of(judge(block, block.series[0]), "train_rate_up").verdict, verdict)
        << fireline << " of a lab that carries " << forwarding;
  }
}

TEST(RelayResults, CostIsFlatWhenTheMostAllocationsCostLittleMore) {
  const auto blocks_of = [](double one, double many) {
    std::vector<RelayBlock> blocks;
    for (const auto& [allocations, cost] : {std::pair<std::size_t, double>{100, 99}, {1, one}, {16384, many}}) {
      blocks.push_back(block_of(cost, 2, 0, RelayMeasure::single_cpu));
      blocks.back().allocations = allocations;
    }
    return blocks;
  };
  EXPECT_EQ(judgement_of(judge_flatness(blocks_of(2, 2.4)), "single_cpu").verdict, Verdict::pass);
  EXPECT_EQ(judgement_of(judge_flatness(blocks_of(2, 2.5)), "single_cpu").verdict, Verdict::fail);
  EXPECT_EQ(judgement_of(judge_flatness(blocks_of(2, 2.4)), "train_cpu").verdict, Verdict::not_judged);
  auto blocks = blocks_of(2, 2.5);
  blocks.pop_back();
  EXPECT_EQ(judgement_of(judge_flatness(blocks), "single_cpu").verdict, Verdict::fail) << "100 are the most";
  blocks.erase(blocks.begin());
  EXPECT_TRUE(judge_flatness(blocks).empty()) << "one number compares with nothing";
  auto other = blocks_of(2, 2.5);
  other[2].payload_bytes = 64;
  other[0].payload_bytes = 64;
  EXPECT_EQ(judge_flatness(other).size(), 2u) << "blocks of one payload are compared";
}

TEST(RelayResults, FairnessNeedsAnOverload) {
  for (const auto& [factor, index, verdict] :
       {std::tuple{2.0, 0.96, Verdict::pass}, {2.0, 0.94, Verdict::fail}, {1.5, 0.99, Verdict::not_judged}}) {
    RelayBlock block = block_of(index, 0, 0, RelayMeasure::fairness_down);
    block.series[0].add(RelayMeasure::overload_factor, factor);
    EXPECT_EQ(judgement_of(judge(block, block.series[0]), "fairness_down").verdict, verdict);
  }
}

TEST(RelayResults, TableAndJsonNameEveryMeasureTaken) {
  const RelayBlock block = block_of(400, 100, 1000, RelayMeasure::train_rate_up);
  const std::string text = table(block);
  EXPECT_NE(text.find("trains loss-free up kpps"), std::string::npos);
  EXPECT_NE(text.find("400 (400-400) 4.00x"), std::string::npos);
  EXPECT_EQ(text.find("round trip"), std::string::npos);
  const std::string json = relay_report({}, {}, {block}).dump(2);
  EXPECT_NE(json.find("\"ratio_to_coturn\": 4.0"), std::string::npos);
  EXPECT_NE(acceptance_lines(block, block.series[0]).find("PASS  train_rate_up_kpps"), std::string::npos);
}

TEST(JainIndex, IsOneForEqualSharesAndOneNthForOneTaker) {
  EXPECT_DOUBLE_EQ(jain_index(std::vector<double>{5, 5, 5, 5}), 1);
  EXPECT_DOUBLE_EQ(jain_index(std::vector<double>{8, 0, 0, 0}), 0.25);
  EXPECT_DOUBLE_EQ(jain_index(std::vector<double>{3, 1}), 0.8);
  EXPECT_DOUBLE_EQ(jain_index(std::vector<double>{0, 0}), 0);
  EXPECT_DOUBLE_EQ(jain_index({}), 0);
}

TEST(RelayCandidates, AreReadOrRefusedWithASentence) {
  const auto good = parse_relay_candidates("coturn=/bin/true,forwarding,fireline=/bin/true", "/nowhere");
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(good->size(), 3u);
  EXPECT_EQ((*good)[0].kind, Kind::coturn);
  EXPECT_EQ((*good)[0].binary, "/bin/true");
  EXPECT_EQ((*good)[1].kind, Kind::forwarding);
  struct Row {
    std::string_view names;
    std::string_view sentence;
  };
  const Row rows[] = {
      {"", "--candidates names nobody"},
      {"eturnal", "--candidates: 'eturnal' is none of fireline, fireline-xdp, coturn, forwarding"},
      {"forwarding=/bin/true", "--candidates: forwarding is no program"},
      {"fireline", "--candidates: no program /nowhere/fireline-relay: build it or name another with fireline=PATH"},
      {"forwarding,forwarding", "--candidates: forwarding appears twice"},
  };
  for (const Row& row : rows) {
    const auto bad = parse_relay_candidates(row.names, "/nowhere");
    ASSERT_FALSE(bad.has_value()) << row.names;
    EXPECT_EQ(bad.error(), row.sentence);
  }
}

}  // namespace
}  // namespace fireline::bench
