// Priorities, checked against the values that the baseline's nodes compute.
#include "core/ice/priority.h"

#include <gtest/gtest.h>

namespace fireline::ice {
namespace {

struct CandidateRow {
  const char* rule;
  CandidateKind kind;
  Family family;
  std::uint32_t earlier;
  bool crosses_families;
  std::uint32_t local_preference;
  std::uint32_t priority;
};

constexpr CandidateRow kCandidates[] = {
    {"the first IPv6 host", CandidateKind::host, Family::v6, 0, false, 65535, 2130706431},
    {"the first IPv4 host", CandidateKind::host, Family::v4, 0, false, 65534, 2130706175},
    {"the second IPv4 host", CandidateKind::host, Family::v4, 1, false, 65532, 2130705663},
    {"IPv6 relayed through an IPv6 socket", CandidateKind::relayed, Family::v6, 0, false, 16383, 37748735},
    {"IPv4 relayed through an IPv4 socket", CandidateKind::relayed, Family::v4, 0, false, 16382, 37748479},
    {"IPv6 relayed through an IPv4 socket", CandidateKind::relayed, Family::v6, 0, true, 15383, 37492735},
    {"IPv4 relayed through an IPv6 socket", CandidateKind::relayed, Family::v4, 0, true, 15382, 37492479},
    {"a preference never wraps", CandidateKind::relayed, Family::v4, 9000, true, 0, 33554687},
};

TEST(Priority, OfCandidatesAsTheBaselineComputesThem) {
  for (const auto& row : kCandidates) {
    SCOPED_TRACE(row.rule);
    const auto preference = local_preference(row.kind, row.family, row.earlier, row.crosses_families);
    EXPECT_EQ(preference, row.local_preference);
    EXPECT_EQ(candidate_priority(row.kind, preference), row.priority);
  }
}

TEST(Priority, OfServerReflexiveCandidatesThatAreOnlySignalled) {
  EXPECT_EQ(candidate_priority(CandidateKind::server_reflexive, default_local_preference(Family::v6)), 1694498815u);
  EXPECT_EQ(candidate_priority(CandidateKind::server_reflexive, default_local_preference(Family::v4)), 1694498559u);
}

TEST(Priority, OfChecksIsWhatAPeerReflexiveCandidateWouldHave) {
  EXPECT_EQ(check_priority(2130706431), 1862270975u);
  EXPECT_EQ(check_priority(2130706175), 1862270719u);
  EXPECT_EQ(check_priority(37748735), 1849688063u);
  EXPECT_EQ(check_priority(37748479), 1849687807u);
}

TEST(Priority, OfPairs) {
  EXPECT_EQ(pair_priority(2130706175, 2130706175), 9151313343271665150u);
  EXPECT_EQ(pair_priority(2130706175, 1694498559), 7277815898285538815u);
  EXPECT_EQ(pair_priority(37748479, 37748479), 162128482854239742u);
  EXPECT_EQ(pair_priority(1694498559, 2130706175) + 1, pair_priority(2130706175, 1694498559))
      << "the controlling side's candidate being the better one decides between mirrored pairs";
}

}  // namespace
}  // namespace fireline::ice
