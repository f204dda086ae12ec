#include "tools/gateway/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/tools/common/option_rows.h"

namespace fireline::gateway {
namespace {

using testing::HasSubstr;

Result<Options, EarlyExit> parse(std::vector<const char*> words) {
  return test::parse_words(parse_options, std::move(words));
}

TEST(GatewayOptions, FlagsAndVariables) {
  const std::vector<test::OptionRow<Options>> rows{
      {"nothing said",
       {},
       {},
       [](const Options& o) {
         return o.command == Options::Command::run && o.check_privileges && o.raise_buffers && o.token.empty() &&
                o.health.to_string() == "0.0.0.0:8080" && o.program.status_socket == kStatusSocket;
       }},
      {"the token as Firezone has it",
       {".SFMyNTY.g2gDbQAAACQ"},
       {},
       [](const Options& o) { return o.token.view() == ".SFMyNTY.g2gDbQAAACQ"; }},
      {"the path of its file", {"/run/t"}, {}, [](const Options& o) { return o.token.view() == "/run/t"; }},
      {"an empty one is none", {""}, {}, [](const Options& o) { return o.token.empty(); }},
      {"where health is told",
       {},
       {{"HEALTH_CHECK_ADDR", "127.0.0.1:1"}},
       [](const Options& o) { return o.health.to_string() == "127.0.0.1:1"; }},
      {"without the check", {"--no-check"}, {}, [](const Options& o) { return !o.check_privileges; }},
      {"buffers stay", {}, {{"FIREZONE_NO_INC_BUF", "true"}}, [](const Options& o) { return !o.raise_buffers; }},
      {"a portal may be away for a day",
       {},
       {},
       [](const Options& o) { return o.program.max_partition_time == std::chrono::hours(24); }},
      {"or for less",
       {},
       {{"FIREZONE_MAX_PARTITION_TIME", "15m"}},
       [](const Options& o) { return o.program.max_partition_time == std::chrono::minutes(15); }},
      {"an empty id is none", {}, {{"FIREZONE_ID", ""}}, [](const Options& o) { return o.program.id.empty(); }},
      {"a nice value of the program's choice", {}, {}, [](const Options& o) { return !o.program.nice; }},
      {"a nice value", {}, {{"FIRELINE_NICE", "-10"}}, [](const Options& o) { return o.program.nice == -10; }},
      {"as other programs", {"--nice", "0"}, {}, [](const Options& o) { return o.program.nice == 0; }},
      {"what is not there may be switched off",
       {},
       {{"FIREZONE_VALIDATE_CHECKSUMS", "false"}, {"FIREZONE_FLOW_LOGS", "false"}},
       [](const Options&) { return true; }},
      {"prepare the host",
       {"setup-network", "--tun-name", "t0"},
       {},
       [](const Options& o) { return o.command == Options::Command::set_up_network && o.program.tun == "t0"; }},
      {"undo it",
       {"teardown-network"},
       {},
       [](const Options& o) { return o.command == Options::Command::tear_down_network; }},
      {"ask",
       {"status", "--status-socket", "/run/x"},
       {},
       [](const Options& o) {
         return o.command == Options::Command::status && o.program.status_line == "status text" &&
                o.program.status_socket == "/run/x";
       }},
  };
  test::expect_understood(parse_options, rows);
}

TEST(GatewayOptions, WhatIsWrongIsOneSentenceAndCode2) {
  const std::vector<test::MistakeRow> rows{
      {{"--validate-checksums"}, {}, "--validate-checksums is not there"},
      {{}, {{"FIREZONE_VALIDATE_CHECKSUMS", "true"}}, "set FIREZONE_VALIDATE_CHECKSUMS=false"},
      {{"--flow-logs"}, {}, "--flow-logs is not there"},
      {{"--health-check-addr", "8080"}, {}, "use ADDRESS:PORT"},
      {{"-u", "nonsense"}, {}, "must start with wss://"},
      {{"--nice", "20"}, {}, "use a number from -20 to 19"},
      {{"one", "two"}, {}, "there are more words than this command takes"},
      // It would be the token, before the variable's.
      {{"stauts"}, {{"FIREZONE_ID", "abc"}}, "unknown command: use one of setup-network, teardown-network, status"},
      {{"secret-of-18-letter"}, {}, "fewer than 20 characters"},
      {{}, {{"FIREZONE_NO_INC_BUF", "perhaps"}}, "perhaps"},
  };
  test::expect_mistakes(parse_options, tunnel::kUsageExitCode, rows);
  EXPECT_THAT(parse({"--version"}).error().text, HasSubstr("fireline-gateway "));
}

}  // namespace
}  // namespace fireline::gateway
