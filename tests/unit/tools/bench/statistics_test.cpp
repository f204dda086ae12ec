// Medians, arrivals, and the search for the loss-free rate with a path that is a function.
#include "tools/bench/statistics.h"

#include <gtest/gtest.h>

#include <vector>

#include "tools/bench/loss_free_rate.h"
#include "tools/bench/sequence_meter.h"
#include "tools/bench/udp_generator.h"

namespace fireline::bench {
namespace {

TEST(Statistics, MedianAndSpread) {
  const std::vector<double> odd{9, 1, 5};
  const auto summary = summarize(odd);
  ASSERT_TRUE(summary.has_value());
  EXPECT_DOUBLE_EQ(summary->median, 5);
  EXPECT_DOUBLE_EQ(summary->low, 1);
  EXPECT_DOUBLE_EQ(summary->high, 9);
  EXPECT_EQ(summary->count, 3u);
  const std::vector<double> even{4, 1, 2, 100};
  EXPECT_DOUBLE_EQ(summarize(even)->median, 3) << "of an even count the mean of the middle two";
  EXPECT_FALSE(summarize({}).has_value());
}

TEST(Statistics, PercentileIsTheNearestRank) {
  std::vector<double> values;
  for (int i = 100; i >= 1; --i) values.push_back(i);
  EXPECT_DOUBLE_EQ(*percentile(values, 50), 50);
  EXPECT_DOUBLE_EQ(*percentile(values, 99), 99);
  EXPECT_DOUBLE_EQ(*percentile(values, 100), 100);
  EXPECT_DOUBLE_EQ(*percentile(values, 0), 1);
  EXPECT_FALSE(percentile({}, 50).has_value());
}

TEST(SequenceMeter, CountsWhatCame) {
  SequenceMeter meter;
  for (const std::uint64_t number : {0u, 1u, 3u, 2u, 3u, 70'000'00u, 9u}) meter.arrived(number);
  EXPECT_EQ(meter.received(), 6u);
  EXPECT_EQ(meter.duplicates(), 1u) << "the second 3";
  EXPECT_EQ(meter.reordered(), 2u) << "2 after 3, and 9 after 7,000,000";
  meter.arrived(~std::uint64_t{0});
  EXPECT_EQ(meter.received(), 6u) << "a foreign number is ignored";
}

TEST(UdpResult, WhatWaitsInAQueueWhenTheSenderEndsIsNotCarriedInItsTime) {
  constexpr std::size_t kPayload = 1000;
  UdpResult result;
  result.sent = 30'000;
  result.received = 12'500;  // a hop of 5,000 a second with a queue of 5,000
  result.set_times(kPayload, 1.5, 2.5);
  EXPECT_DOUBLE_EQ(result.offered, 8 * 1000 * 20'000.0);
  EXPECT_DOUBLE_EQ(result.goodput, 8 * 1000 * 5'000.0);
  EXPECT_NEAR(result.late(), (1 - UdpResult::kQueueSeconds) / 2.5, 1e-9);
  result.set_times(kPayload, 1.5, 1.505);
  EXPECT_EQ(result.late(), 0) << "on its way";
  result.set_times(kPayload, 1.5, 0.7);
  EXPECT_DOUBLE_EQ(result.goodput, 8 * 1000 * 12'500 / 1.5) << "what ends early is not faster";
  EXPECT_EQ(result.late(), 0);
}

TEST(LossFreeRate, FindsTheLimitOfAPathWithinTenPercent) {
  for (const double limit : {0.3, 1.0, 3.7, 9.9, 25.0}) {
    SCOPED_TRACE(limit);
    int probes = 0;
    const double found = search_loss_free_rate(2, [&](double rate) {
      ++probes;
      return rate <= limit ? 0.0 : 1 - limit / rate;
    });
    EXPECT_LE(found, limit);
    EXPECT_GE(found, limit / 1.11);
    EXPECT_LE(probes, 12);
  }
}

TEST(LossFreeRate, APathThatAlwaysLosesHasNone) {
  int probes = 0;
  EXPECT_EQ(search_loss_free_rate(8,
                                  [&](double) {
                                    ++probes;
                                    return 0.5;
                                  }),
            0);
  EXPECT_LE(probes, 12);
}

TEST(LossFreeRate, APathThatNeverLosesEndsTheSearch) {
  int probes = 0;
  const double found = search_loss_free_rate(1, [&](double) {
    ++probes;
    return 0.0;
  });
  EXPECT_GT(found, 1);
  EXPECT_EQ(probes, 12);
}

}  // namespace
}  // namespace fireline::bench
