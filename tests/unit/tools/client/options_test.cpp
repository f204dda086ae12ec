#include "tools/client/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/tools/common/option_rows.h"

namespace fireline::client {
namespace {

Result<Options, EarlyExit> parse(std::vector<const char*> words) {
  return test::parse_words(parse_options, std::move(words));
}

TEST(ClientOptions, Defaults) {
  const auto options = parse({});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->command, Options::Command::run);
  EXPECT_EQ(options->program.portal->to_string(), "wss://api.firezone.dev/");
  EXPECT_EQ(options->program.tun, "tun-firezone");
  EXPECT_EQ(options->program.status_socket, kStatusSocket);
  EXPECT_EQ(options->program.threads, std::nullopt);
  EXPECT_EQ(options->program.log.level, LogLevel::info);
  EXPECT_EQ(options->program.log.folder, "");
  EXPECT_EQ(options->program.max_partition_time, std::nullopt) << "for ever";
  EXPECT_TRUE(options->program.seccomp);
  EXPECT_FALSE(options->check || options->exit || options->internet_enabled || options->raise_buffers);
}

TEST(ClientOptions, FlagsAndVariables) {
  const std::vector<test::OptionRow<Options>> rows{
      {"a variable",
       {},
       {{"FIREZONE_API_URL", "ws://127.0.0.1:8081"}},
       [](const Options& o) { return o.program.portal->to_string() == "ws://127.0.0.1:8081/"; }},
      {"a flag beats its variable",
       {"-u", "ws://192.0.2.1:1/"},
       {{"FIREZONE_API_URL", "ws://127.0.0.1:8081"}},
       [](const Options& o) { return o.program.portal->to_string() == "ws://192.0.2.1:1/"; }},
      {"an id", {"-i", "abc"}, {}, [](const Options& o) { return o.program.id == "abc"; }},
      {"an empty id is none", {}, {{"FIREZONE_ID", ""}}, [](const Options& o) { return o.program.id.empty(); }},
      {"Firezone's word for what it always is", {"standalone"}, {}, [](const Options& o) { return !o.check; }},
      {"flags behind that word",
       {"standalone", "--check"},
       {},
       [](const Options& o) { return o.check && o.command == Options::Command::run; }},
      {"a flag's variable says true",
       {},
       {{"FIREZONE_ACTIVATE_INTERNET_RESOURCE", "true"}},
       [](const Options& o) { return o.internet_enabled; }},
      {"a flag's variable says false",
       {},
       {{"FIREZONE_ACTIVATE_INTERNET_RESOURCE", "false"}, {"FIREZONE_INC_BUF", "false"}},
       [](const Options& o) { return !o.internet_enabled && !o.raise_buffers; }},
      {"larger buffers", {}, {{"FIREZONE_INC_BUF", "true"}}, [](const Options& o) { return o.raise_buffers; }},
      {"how long without the portal",
       {"-m", "1h 30m"},
       {},
       [](const Options& o) { return o.program.max_partition_time == std::chrono::minutes(90); }},
      {"the name of that variable has no prefix",
       {},
       {{"MAX_PARTITION_TIME", "5m"}, {"LOG_DIR", "/var/log/x"}},
       [](const Options& o) {
         return o.program.max_partition_time == std::chrono::minutes(5) && o.program.log.folder == "/var/log/x";
       }},
      {"directives for targets that we do not have",
       {},
       {{"RUST_LOG", "wire=trace,debug"}},
       [](const Options& o) { return o.program.log.level == LogLevel::debug; }},
      {"a log for machines",
       {},
       {{"FIREZONE_LOG_FORMAT", "json"}},
       [](const Options& o) { return o.program.log.format == LogFormat::json; }},
      {"the method of DNS control that Firezone's images set is said to do nothing",
       {},
       {{"FIREZONE_DNS_CONTROL", "etc-resolv-conf"}},
       [](const Options& o) { return o.program.notes.size() == 1; }},
      {"as long as nobody asks for DNS control there is nothing to say",
       {},
       {},
       [](const Options& o) { return o.program.notes.empty(); }},
      {"a flag beats that variable",
       {"--dns-control", "disabled"},
       {{"FIREZONE_DNS_CONTROL", "etc-resolv-conf"}},
       [](const Options& o) { return o.program.notes.empty(); }},
      {"without DNS control there is nothing to say",
       {"--dns-control", "disabled"},
       {},
       [](const Options& o) { return o.program.notes.empty(); }},
      {"a feature flag",
       {},
       {{"FZFF_ICMP_ERROR_UNREACHABLE_PROHIBITED_CREATE_NEW_FLOW", "true"}},
       [](const Options& o) { return o.ask_when_prohibited; }},
      {"a feature flag that is neither true nor false is ignored",
       {},
       {{"FZFF_ICMP_ERROR_UNREACHABLE_PROHIBITED_CREATE_NEW_FLOW", "1"}},
       [](const Options& o) { return !o.ask_when_prohibited; }},
      {"telemetry and metrics of Firezone's are understood",
       {"--no-telemetry", "--metrics", "stdout", "--otlp-grpc-endpoint", "127.0.0.1:4317"},
       {},
       [](const Options&) { return true; }},
      {"buffer sizes",
       {},
       {{"FIREZONE_UDP_RECV_BUFFER_SIZE", "65536"}, {"FIREZONE_UDP_SEND_BUFFER_SIZE", "many"}},
       [](const Options& o) {
         return o.program.receive_buffer_bytes == 65536 && o.program.send_buffer_bytes == io::kUdpSendBufferBytes;
       }},
      {"asking needs no portal",
       {"status", "--json"},
       {{"FIREZONE_API_URL", "nonsense"}},
       [](const Options& o) { return o.command == Options::Command::status && o.program.status_line == "status"; }},
      {"metrics as Prometheus has them, which Firezone's flag of that name does not mean",
       {"status", "--metrics"},
       {{"FIREZONE_METRICS", "stdout"}},
       [](const Options& o) { return o.program.status_line == "metrics"; }},
      {"for debuggers", {"--no-seccomp"}, {}, [](const Options& o) { return !o.program.seccomp; }},
  };
  test::expect_understood(parse_options, rows);
}

TEST(ClientOptions, WhatIsWrongIsOneSentenceAndCode2) {
  const std::vector<test::MistakeRow> rows{
      // Everybody sees a command line, and logs show what is said about it.
      {{"--token", "secret"}, {}, "unknown here: --token: see fireline-client --help"},
      {{"--token=secret"}, {}, "unknown here: --token: see fireline-client --help"},
      {{"secret"}, {}, "there are more words than this command takes"},
      {{"--no-such-flag"}, {}, "see fireline-client --help"},
      // The next word would be the value, and the portal somebody else's.
      {{"--firezone-id=", "--api-url=wss://portal.test"}, {}, "--firezone-id= has no value"},
      {{"standalone", "--log-dir="}, {}, "--log-dir= has no value: see fireline-client --help"},
      {{"-u", "nonsense"}, {}, "must start with wss://"},
      {{"--max-partition-time", "5"}, {}, "use numbers with units"},
      {{"--max-partition-time", "3651d"}, {}, "at most 3650d"},
      {{"--dns-control", "magic"}, {}, "use one of systemd-resolved, etc-resolv-conf, disabled"},
      {{}, {{"FIREZONE_DNS_CONTROL", "magic"}}, "FIREZONE_DNS_CONTROL cannot be"},
      // Whoever asks for it would wait for names in vain.
      {{"--dns-control", "systemd-resolved"}, {}, "DNS resources are not served"},
      {{"--dns-control", "etc-resolv-conf"}, {}, "leave it out or say disabled"},
      {{"--threads", "many"}, {}, "use one of split, direct, fused, auto"},
      {{"--log-format", "xml"}, {}, "use one of human, json"},
      {{"--log-level", "loud"}, {}, "is no log directive"},
      {{"--tun-name", "a/b"}, {}, "--tun-name cannot be"},
      {{"--tun-name", "tun%d"}, {}, "without %"},
      {{}, {{"FIREZONE_INC_BUF", "perhaps"}}, "perhaps"},
  };
  test::expect_mistakes(parse_options, tunnel::kUsageExitCode, rows);
  for (const char* flag : {"--help", "--version", "-V"}) EXPECT_EQ(parse({flag}).error().code, 0) << flag;
}

}  // namespace
}  // namespace fireline::client
