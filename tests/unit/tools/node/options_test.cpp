#include "tools/node/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace fireline::lab {
namespace {

using ::testing::HasSubstr;

Result<Options, EarlyExit> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "fireline-lab-node");
  return parse_options(static_cast<int>(words.size()), words.data());
}

TEST(Options, AWholeCommandLine) {
  const auto options = parse({"--role", "gateway", "--rendezvous", "/r", "--state", "/s", "--tun", "t0", "--port", "0",
                              "--mtu", "1400", "--threads", "fused", "--log-level", "debug", "--fwmark", "7"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->role, node::NodeRole::gateway);
  EXPECT_EQ(options->socket_path(), "/s/t0.sock");
  EXPECT_EQ(options->port, 0);
  EXPECT_EQ(options->mtu, 1400);
  EXPECT_EQ(options->fwmark, 7U);
  EXPECT_EQ(options->threads, io::ThreadMode::fused);
  EXPECT_EQ(options->log_level, LogLevel::debug);
}

TEST(Options, AskingNeedsTheSocketAlone) {
  const auto options = parse({"--state", "/s", "--tun", "t0", "--ask", "status"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->command, Options::Command::ask);
}

TEST(Options, OneSentenceForWhatIsWrong) {
  const struct {
    std::vector<const char*> words;
    const char* sentence;
  } rows[] = {
      {{"--tun", "t0"}, "--state is missing"},
      {{"--state", "/s"}, "--tun is missing"},
      {{"--state", "/s", "--tun", "a/b"}, "cannot be the name of an interface"},
      {{"--state", "/s", "--tun", "t0"}, "--role is missing"},
      {{"--state", "/s", "--tun", "t0", "--role", "relay"}, "use one of client, gateway"},
      {{"--state", "/s", "--tun", "t0", "--role", "client"}, "--rendezvous is missing"},
      {{"--state", "/s", "--tun", "t0", "--role", "gateway", "--rendezvous", "/r", "--on-demand"}, "belongs to --role"},
      {{"--state", "/s", "--tun", "t0", "--role", "client", "--rendezvous", "/r", "--mtu", "1000"}, "at least 1280"},
      {{"--port", "70000"}, "--help"},
      {{"--unknown"}, "unknown here: --unknown: see fireline-lab-node --help"},
  };
  for (const auto& row : rows) {
    const auto options = parse(row.words);
    ASSERT_FALSE(options) << row.sentence;
    EXPECT_EQ(options.error().code, 1);
    EXPECT_THAT(options.error().text, HasSubstr(row.sentence));
  }
  EXPECT_EQ(parse({"--help"}).error().code, 0);
  EXPECT_THAT(parse({"--version"}).error().text, HasSubstr("fireline-lab-node"));
}

}  // namespace
}  // namespace fireline::lab
