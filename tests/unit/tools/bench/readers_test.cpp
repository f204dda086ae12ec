// What the benchmark reads of other programs and of /proc.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/unit/io/temporary_directory.h"
#include "tools/bench/candidate.h"
#include "tools/bench/cpu_meter.h"
#include "tools/bench/iperf_output.h"
#include "tools/bench/namespace_pair.h"
#include "tools/bench/ping_output.h"

namespace fireline::bench {
namespace {

constexpr const char* kGoodIperf = R"({
  "start": {"version": "iperf 3.12"},
  "end": {"sum_sent": {"bytes": 1100, "bits_per_second": 9.5e9, "retransmits": 7},
          "sum_received": {"bytes": 1000, "bits_per_second": 9.25e9}}
})";

TEST(Iperf, TheReceiversSumCounts) {
  const auto result = read_iperf(kGoodIperf);
  ASSERT_TRUE(result.has_value()) << result.error();
  EXPECT_DOUBLE_EQ(result->bits_per_second, 9.25e9);
  EXPECT_DOUBLE_EQ(result->bytes, 1000);
  EXPECT_EQ(result->retransmits, 7);
}

TEST(Iperf, WarningLinesBeforeTheJsonAreSkipped) {
  const auto result = read_iperf(std::string("warning: {Ignoring} nonsense\niperf3: warning\n") + kGoodIperf);
  ASSERT_TRUE(result.has_value()) << result.error();
  EXPECT_DOUBLE_EQ(result->bits_per_second, 9.25e9);
}

TEST(Iperf, WhatIsNoResultIsASentence) {
  const struct {
    std::string rule;
    std::string text;
    std::string sentence;
  } rows[] = {
      {"iperf3's own error is passed on", R"({"start":{},"end":{},"error":"unable to connect"})",
       "iperf3: unable to connect"},
      {"no output at all", "", "iperf3 printed no JSON"},
      {"only text", "iperf3: command not known\n", "iperf3 printed no JSON"},
      {"JSON that is cut off", "{\"end\": {", "iperf3 printed broken JSON"},
      {"JSON without the sum", "{\"end\": {}}", "iperf3's JSON has no end.sum_received"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto result = read_iperf(row.text);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error(), row.sentence);
  }
}

TEST(Ping, EveryReplyLineIsReadAndNothingElse) {
  const PingReplies replies = read_ping(
      "10.99.0.2 : [0], 64 bytes, 0.061 ms (0.061 avg, 0% loss)\n"
      "10.99.0.2 : [1], 64 bytes, 12.5 ms (6.28 avg, 0% loss)\n"
      "10.99.0.2 : duplicate for [1], 64 bytes, 13.0 ms\n"
      "ICMP Host Unreachable from 10.99.0.1 for ICMP Echo sent to 10.99.0.2\n"
      "10.99.0.2 : [2], timed out (6.28 avg, 33% loss)\n"
      "10.99.0.2 : [3], 64 bytes, nonsense ms (6.28 avg, 25% loss)\n"
      "10.99.0.2 : [3], 64 bytes, nan ms (6.28 avg, 25% loss)\n"
      "10.99.0.2 : [3], 64 bytes, inf ms (6.28 avg, 25% loss)\n"
      "10.99.0.2 : [3], 64 bytes, -1 ms (6.28 avg, 25% loss)\n"
      "64 bytes, 7 ms\n"
      "10.99.0.2 : [4], 64 bytes, 3 ms (5.18 avg, 20% loss)\n"
      "\n10.99.0.2 : xmt/rcv/%loss = 5/3/40%, min/avg/max = 0.061/5.18/12.5\n");
  EXPECT_EQ(replies.times, (std::vector<double>{0.061, 12.5, 3}));
  EXPECT_EQ(replies.duplicates, 1u);
}

TEST(Cpu, ANameWithSpacesAndParenthesesDoesNotShiftTheFields) {
  EXPECT_EQ(process_ticks("17 (a) b (c)) S 1 17 17 0 -1 4194560 100 0 0 0 250 50 9 9 20 0 3 0 100"), 300u);
  EXPECT_EQ(process_ticks(""), std::nullopt);
  EXPECT_EQ(process_ticks("17 (short) S 1 17"), std::nullopt);
}

TEST(Cpu, IdleWaitingAndStolenTimeIsNotBusy) {
  EXPECT_EQ(busy_ticks("cpu  1 2 4 1000 1000 8 16 1000 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"), 31u);
  EXPECT_EQ(busy_ticks("intr 1 2 3 4 5 6 7 8"), std::nullopt);
}

TEST(KernelCounters, NamesAndValuesComeInPairsOfLines) {
  KernelCounters counters;
  read_counters("TcpExt: SyncookiesSent TCPOFOQueue\nTcpExt: 0 42\nIpExt: InOctets\nIpExt: 7\n", counters);
  EXPECT_EQ(counters.at("TcpExt.TCPOFOQueue"), 42);
  EXPECT_EQ(counters.at("IpExt.InOctets"), 7);
  KernelCounters none;
  read_counters("TcpExt: A\nIpExt: 7\n", none);
  EXPECT_TRUE(none.empty()) << "a name line without its value line is nothing";
}

TEST(Status, NumbersAreFoundByTheirNameAtAnyDepth) {
  const ProgramCounters counters =
      read_status(R"({"mtu": 1420, "counters": {"tun.read.calls": 5, "tun.read.segments": 200}, "peers": []})");
  EXPECT_EQ(counters.at("tun.read.calls"), 5u);
  EXPECT_EQ(counters.at("tun.read.segments"), 200u);
  EXPECT_TRUE(read_status("no JSON").empty());
}

TEST(Candidates, WordsBecomeCandidates) {
  const auto candidates =
      parse_candidates("veth,mine=/bin/true",
                       {.thread_modes = "split,direct", .udp_ios = "io_uring", .cipher_threads = "1"}, "/nowhere");
  ASSERT_TRUE(candidates.has_value()) << candidates.error();
  ASSERT_EQ(candidates->size(), 2u);
  EXPECT_EQ(candidates->at(0).kind, Candidate::Kind::veth);
  EXPECT_EQ(candidates->at(1).label(), "mine") << "thread modes are fireline's alone";
  EXPECT_FALSE(candidates->at(1).fireline);
}

TEST(Candidates, FirelineAppearsOncePerThreadModeBackendAndNumberOfHelpers) {
  const io::TemporaryDirectory folder;
  const std::string binary = folder.path() + "/fireline-wg";
  std::filesystem::create_symlink("/bin/true", binary);
  const auto labels = [&](const CandidateChoices& choices) {
    const auto candidates = parse_candidates("fireline,veth", choices, folder.path());
    std::vector<std::string> found;
    if (!candidates) return found;
    for (const auto& candidate : *candidates) found.push_back(candidate.label());
    return found;
  };
  using Labels = std::vector<std::string>;
  EXPECT_EQ(labels({}), (Labels{"fireline", "veth"}));
  EXPECT_EQ(labels({.udp_ios = "syscall,io_uring"}), (Labels{"fireline/syscall", "fireline/io_uring", "veth"}));
  EXPECT_EQ(labels({.thread_modes = "fused,direct", .udp_ios = "io_uring"}),
            (Labels{"fireline/fused/io_uring", "fireline/direct/io_uring", "veth"}));
  EXPECT_EQ(labels({.cipher_threads = "0,1"}), (Labels{"fireline/0 helpers", "fireline/1 helpers", "veth"}));
}

TEST(Candidates, WrongWordsAreRefusedWithTheFix) {
  const struct {
    std::string words;
    std::string sentence;
  } rows[] = {
      {"", "--peers names nobody"},
      {"boringtun", "--peers: boringtun needs a program: boringtun=/path/to/program"},
      {"=/bin/true", "--peers: '=/bin/true' has no name"},
      {"veth=/bin/true", "--peers: veth is no program"},
      {"veth,veth", "--peers: veth appears twice"},
      {"fireline", "--peers: no program /nowhere/fireline-wg: build it or name another with fireline=PATH"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.words);
    const auto candidates = parse_candidates(row.words, {}, "/nowhere");
    ASSERT_FALSE(candidates.has_value());
    EXPECT_EQ(candidates.error(), row.sentence);
  }
}

}  // namespace
}  // namespace fireline::bench
