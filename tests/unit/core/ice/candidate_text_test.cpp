// Candidate strings: as the baseline writes them, and everything that it accepts.
#include "core/ice/candidate_text.h"

#include <gtest/gtest.h>

#include <optional>

#include "core/ice/priority.h"

namespace fireline::ice {
namespace {

Endpoint at(const char* text) {
  return *Endpoint::parse(text);
}

struct ErrorRow {
  const char* rule;
  std::string text;
  CandidateTextError error;
};

const ErrorRow kErrors[] = {
    {"nothing", "", CandidateTextError::no_prefix},
    {"an attribute line is no candidate string", "a=candidate:1 1 udp 1 10.0.0.4 1 typ host",
     CandidateTextError::no_prefix},
    {"no foundation", "candidate: 1 udp 1 10.0.0.4 1 typ host", CandidateTextError::no_prefix},
    {"two spaces", "candidate:1  1 udp 1 10.0.0.4 1 typ host", CandidateTextError::bad_component},
    {"a component beyond 16 bits", "candidate:1 65536 udp 1 10.0.0.4 1 typ host", CandidateTextError::bad_component},
    {"an unknown transport", "candidate:1 1 sctp 1 10.0.0.4 1 typ host", CandidateTextError::bad_transport},
    {"a priority beyond 32 bits", "candidate:1 1 udp 4294967296 10.0.0.4 1 typ host", CandidateTextError::bad_priority},
    {"a negative priority", "candidate:1 1 udp -1 10.0.0.4 1 typ host", CandidateTextError::bad_priority},
    {"a name in place of an address", "candidate:1 1 udp 1 a.local 1 typ host", CandidateTextError::bad_address},
    {"an address in brackets", "candidate:1 1 udp 1 [::1] 1 typ host", CandidateTextError::bad_address},
    {"a port beyond 16 bits", "candidate:1 1 udp 1 10.0.0.4 65536 typ host", CandidateTextError::bad_address},
    {"cut before the kind", "candidate:1 1 udp 1 10.0.0.4 1", CandidateTextError::bad_kind},
    {"an unknown kind", "candidate:1 1 udp 1 10.0.0.4 1 typ hosts", CandidateTextError::bad_kind},
    {"raddr without rport", "candidate:1 1 udp 1 10.0.0.4 1 typ srflx raddr 0.0.0.0", CandidateTextError::bad_related},
    {"raddr that is no address", "candidate:1 1 udp 1 10.0.0.4 1 typ srflx raddr x rport 0",
     CandidateTextError::bad_related},
    {"longer than the limit", "candidate:" + std::string(kCandidateTextBytesMax, '1'), CandidateTextError::too_long},
};

TEST(CandidateText, WhatCannotBeReadSaysWhy) {
  for (const auto& row : kErrors) {
    SCOPED_TRACE(row.rule);
    const auto result = CandidateText::parse(row.text);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error(), row.error);
  }
}

struct AcceptRow {
  const char* rule;
  const char* text;
  std::optional<Endpoint> related;
  const char* ufrag;
};

const AcceptRow kAccepted[] = {
    {"nothing behind the kind", "candidate:1 1 udp 5 10.0.0.4 1 typ host", {}, ""},
    {"any foundation", "candidate:+/x 1 udp 5 10.0.0.4 1 typ host", {}, ""},
    {"transport in upper case", "candidate:1 1 UDP 5 10.0.0.4 1 typ host", {}, ""},
    {"ufrag alone", "candidate:1 1 udp 5 10.0.0.4 1 typ host ufrag abcd", {}, "abcd"},
    {"related address alone", "candidate:1 1 udp 5 10.0.0.4 1 typ srflx raddr 10.0.0.1 rport 7", at("10.0.0.1:7"), ""},
    {"every known token in order",
     "candidate:1 1 udp 5 10.0.0.4 1 typ host tcptype passive raddr ::1 rport 0 generation 0 network-id 1 ufrag abcd "
     "network-cost 999",
     at("[::1]:0"), "abcd"},
    {"tokens in another order end the reading",
     "candidate:1 1 udp 5 10.0.0.4 1 typ host ufrag abcd raddr ::1 rport 0",
     {},
     "abcd"},
    {"an unknown token ends the reading", "candidate:1 1 udp 5 10.0.0.4 1 typ host speed 1 ufrag abcd", {}, ""},
    {"a name without a value ends the reading", "candidate:1 1 udp 5 10.0.0.4 1 typ host ufrag", {}, ""},
    {"a name with an empty value ends the reading", "candidate:1 1 udp 5 10.0.0.4 1 typ host ufrag ", {}, ""},
};

TEST(CandidateText, ToleratesWhatTheBaselineTolerates) {
  for (const auto& row : kAccepted) {
    SCOPED_TRACE(row.rule);
    const auto result = CandidateText::parse(row.text);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->component, 1);
    EXPECT_EQ(result->candidate.address, at("10.0.0.4:1"));
    EXPECT_EQ(result->candidate.base, at("10.0.0.4:1"));
    EXPECT_EQ(result->candidate.priority, 5u);
    EXPECT_EQ(result->candidate.related, row.related);
    EXPECT_EQ(result->ufrag, row.ufrag);
  }
}

TEST(CandidateText, ComponentAndTransportAreReadButNotJudged) {
  EXPECT_EQ(CandidateText::parse("candidate:1 2 udp 5 10.0.0.4 1 typ host")->component, 2);
  EXPECT_EQ(CandidateText::parse("candidate:1 1 tcp 5 10.0.0.4 9 typ host")->transport, Transport::tcp);
  EXPECT_EQ(CandidateText::parse("candidate:1 1 SSLTCP 5 10.0.0.4 9 typ host")->transport, Transport::ssltcp);
  EXPECT_EQ(CandidateText::parse("candidate:1 1 tls 5 10.0.0.4 9 typ host")->transport, Transport::tls);
}

// The strings of the specification; the digits behind the foundation's first eight are arbitrary.
TEST(CandidateText, WritesWhatTheBaselineWrites) {
  const auto without_hash = [](std::string text) { return text.erase(std::string("candidate:").size() + 8, 16); };
  auto host = *Candidate::host(at("10.0.0.4:52625"));
  host.priority = 2130706175;
  EXPECT_EQ(without_hash(candidate_text(host, "llqe")),
            "candidate:fffeff7e 1 udp 2130706175 10.0.0.4 52625 typ host ufrag llqe");
  auto reflexive = *Candidate::server_reflexive(at("203.0.113.9:40000"), at("10.0.0.4:52625"));
  reflexive.priority = 1694498559;
  EXPECT_EQ(without_hash(candidate_text(reflexive, "llqe")),
            "candidate:fffeff64 1 udp 1694498559 203.0.113.9 40000 typ srflx raddr 0.0.0.0 rport 0")
      << "without ufrag, although there is one";
  auto relayed = *Candidate::relayed(at("[2001:db8::7]:50000"), Family::v6);
  relayed.priority = 37748735;
  EXPECT_EQ(without_hash(candidate_text(relayed, "llqe")),
            "candidate:ffff3f02 1 udp 37748735 2001:db8::7 50000 typ relay raddr :: rport 0 ufrag llqe");
}

TEST(CandidateText, ReadsTheSpecificationsStrings) {
  const auto host =
      CandidateText::parse("candidate:fffeff7e1a2b3c4d 1 udp 2130706175 10.0.0.4 52625 typ host ufrag llqe");
  ASSERT_TRUE(host.has_value());
  EXPECT_EQ(host->foundation, "fffeff7e1a2b3c4d");
  EXPECT_EQ(host->candidate.kind, CandidateKind::host);
  EXPECT_EQ(host->ufrag, "llqe");
  const auto relayed = CandidateText::parse(
      "candidate:ffff3f021a2b3c4d 1 udp 37748735 2001:db8::7 50000 typ relay raddr :: rport 0 ufrag llqe");
  ASSERT_TRUE(relayed.has_value());
  EXPECT_EQ(relayed->candidate.kind, CandidateKind::relayed);
  EXPECT_EQ(relayed->candidate.related, at("[::]:0"));
}

}  // namespace
}  // namespace fireline::ice
