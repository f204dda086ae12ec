#include "tools/wg/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

namespace fireline::wg {
namespace {

using ::testing::HasSubstr;

constexpr const char* kVariables[] = {
    "FIRELINE_WG_FOREGROUND",     "FIRELINE_WG_MTU",     "FIRELINE_WG_THREADS",   "FIRELINE_WG_UDP_IO",
    "FIRELINE_WG_AEAD",           "FIRELINE_WG_METRICS", "FIRELINE_WG_LOG_LEVEL", "FIRELINE_WG_LOG_FORMAT",
    "FIRELINE_WG_LOG_FILE",       "FIRELINE_WG_STATUS",  "FIRELINE_WG_JSON",      "FIRELINE_WG_NO_SECCOMP",
    "FIRELINE_WG_CIPHER_THREADS", "LOG_LEVEL",           "WG_PROCESS_FOREGROUND"};

class OptionsTest : public ::testing::Test {
 protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }
  static void clear() {
    for (const char* name : kVariables) unsetenv(name);
  }
  static Result<Options, EarlyExit> parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "fireline-wg");
    return parse_options(static_cast<int>(arguments.size()), arguments.data());
  }
};

TEST_F(OptionsTest, Defaults) {
  const auto options = parse({"wg0"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->command, Options::Command::run);
  EXPECT_EQ(options->interface_name, "wg0");
  EXPECT_FALSE(options->foreground);
  EXPECT_EQ(options->mtu, 1420);
  EXPECT_FALSE(options->threads);
  EXPECT_EQ(options->cipher_threads, 0u);
  EXPECT_EQ(options->nice, std::nullopt);
  EXPECT_EQ(options->udp_io, io::UdpIo::automatic);
  EXPECT_FALSE(options->aead);
  EXPECT_FALSE(options->metrics);
  EXPECT_EQ(options->log_level, LogLevel::info);
  EXPECT_EQ(options->log_format, LogFormat::text);
  EXPECT_EQ(options->log_file, "");
  EXPECT_TRUE(options->seccomp);
}

TEST_F(OptionsTest, Flags) {
  const auto options = parse({"-f",
                              "--mtu",
                              "1280",
                              "--threads=fused",
                              "--cipher-threads=8",
                              "--udp-io",
                              "io_uring",
                              "--nice",
                              "-20",
                              "--aead",
                              "ipsec-mb",
                              "--metrics",
                              "[::1]:9100",
                              "--log-level",
                              "debug",
                              "--log-format",
                              "json",
                              "--log-file",
                              "x.log",
                              "--no-seccomp",
                              "wg0"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_TRUE(options->foreground);
  EXPECT_EQ(options->mtu, 1280);
  EXPECT_EQ(options->threads, io::ThreadMode::fused);
  EXPECT_EQ(options->cipher_threads, 8u);
  EXPECT_EQ(options->nice, -20);
  EXPECT_EQ(options->udp_io, io::UdpIo::io_uring);
  EXPECT_EQ(options->aead, crypto::AeadBackend::ipsec_mb);
  EXPECT_EQ(options->metrics, Endpoint::parse("[::1]:9100"));
  EXPECT_EQ(options->log_level, LogLevel::debug);
  EXPECT_EQ(options->log_format, LogFormat::json);
  EXPECT_EQ(options->log_file, (std::filesystem::current_path() / "x.log").string());
  EXPECT_FALSE(options->seccomp);
}

TEST_F(OptionsTest, Status) {
  for (const std::vector<const char*>& words :
       {std::vector{"--status", "wg0", "--json"}, {"--json", "wg0", "--status"}}) {
    const auto options = parse(words);
    ASSERT_TRUE(options) << options.error().text;
    EXPECT_EQ(options->command, Options::Command::status);
    EXPECT_EQ(options->interface_name, "wg0");
    EXPECT_TRUE(options->json);
  }
}

TEST_F(OptionsTest, EnvironmentAndItsPrecedence) {
  setenv("FIRELINE_WG_THREADS", "split", 1);
  setenv("FIRELINE_WG_MTU", "9000", 1);
  setenv("FIRELINE_WG_FOREGROUND", "true", 1);
  setenv("FIRELINE_WG_METRICS", "127.0.0.1:1", 1);
  const auto options = parse({"--mtu", "576", "wg0"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->threads, io::ThreadMode::split);
  EXPECT_EQ(options->mtu, 576) << "the flag wins";
  EXPECT_TRUE(options->foreground);
  EXPECT_EQ(options->metrics, Endpoint::parse("127.0.0.1:1"));
}

TEST_F(OptionsTest, UnderstandsWireguardGosVariables) {
  struct Row {
    const char* word;
    LogLevel level;
  };
  for (const Row& row : {Row{"verbose", LogLevel::debug},
                         {"debug", LogLevel::debug},
                         {"info", LogLevel::info},
                         {"error", LogLevel::error},
                         {"silent", LogLevel::silent},
                         {"whatever", LogLevel::info}}) {
    setenv("LOG_LEVEL", row.word, 1);
    EXPECT_EQ(parse({"wg0"})->log_level, row.level) << row.word;
  }
  setenv("FIRELINE_WG_LOG_LEVEL", "error", 1);
  setenv("LOG_LEVEL", "debug", 1);
  EXPECT_EQ(parse({"wg0"})->log_level, LogLevel::error) << "our own variable wins";
  setenv("WG_PROCESS_FOREGROUND", "1", 1);
  EXPECT_TRUE(parse({"wg0"})->foreground);
  setenv("WG_PROCESS_FOREGROUND", "0", 1);
  EXPECT_FALSE(parse({"wg0"})->foreground);
}

TEST_F(OptionsTest, RefusesWithOneSentence) {
  struct Row {
    const char* rule;
    std::vector<const char*> words;
    const char* sentence;
  };
  const Row rows[] = {
      {"no interface", {}, "the name of the interface is missing: use fireline-wg [-f] INTERFACE"},
      {"two interfaces", {"wg0", "wg1"}, "more words than this command takes"},
      {"an unknown flag", {"--nonsense", "wg0"}, "--nonsense"},
      {"a flag without its value", {"wg0", "--mtu"}, "--mtu"},
      {"an MTU below the least", {"--mtu", "575", "wg0"}, "--mtu cannot be \"575\": use a number from 576 to 9000"},
      {"an MTU above the most", {"--mtu", "9001", "wg0"}, "from 576 to 9000"},
      {"an MTU that is no number", {"--mtu", "1420x", "wg0"}, "from 576 to 9000"},
      {"a thread mode",
       {"--threads", "many", "wg0"},
       "--threads cannot be \"many\": use one of split, direct, fused, auto"},
      {"cipher threads above the most",
       {"--cipher-threads", "9", "wg0"},
       "--cipher-threads cannot be \"9\": use a number from 0 to 8"},
      {"cipher threads that are no number", {"--cipher-threads", "1x", "wg0"}, "use a number from 0 to 8"},
      {"a UDP backend", {"--udp-io", "x", "wg0"}, "use one of auto, io_uring, syscall"},
      {"a nice value below the least",
       {"--nice", "-21", "wg0"},
       "--nice cannot be \"-21\": use a number from -20 to 19"},
      {"a nice value above the most", {"--nice=20", "wg0"}, "use a number from -20 to 19"},
      {"a nice value that is no number", {"--nice", "low", "wg0"}, "use a number from -20 to 19"},
      {"a cipher backend", {"--aead", "aes", "wg0"}, "use one of auto, ipsec-mb, openssl, libsodium"},
      {"metrics without a port", {"--metrics", "127.0.0.1", "wg0"}, "use ADDRESS:PORT"},
      {"metrics on a name", {"--metrics", "localhost:1", "wg0"}, "use ADDRESS:PORT"},
      {"metrics on port 0", {"--metrics", "127.0.0.1:0", "wg0"}, "use ADDRESS:PORT"},
      {"a log level", {"--log-level", "loud", "wg0"}, "--log-level cannot be \"loud\""},
      {"a log format", {"--log-format", "xml", "wg0"}, "use one of text, json"},
      {"--json alone", {"--json", "wg0"}, "--json belongs to --status"},
      {"a name too long", {"a-name-of-16-ch."}, "at most 15 bytes"},
      {"a name with a slash", {"../x"}, "cannot be the name of an interface"},
      {"a name that is a directory", {".."}, "must not be named . or .."},
      {"a name that the kernel would fill in", {"wg%d"}, "without %"},
      {"an empty name", {""}, "missing"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto options = parse(row.words);
    ASSERT_FALSE(options);
    EXPECT_EQ(options.error().code, 1);
    EXPECT_THAT(options.error().text, HasSubstr(row.sentence));
    EXPECT_EQ(options.error().text.find('\n'), std::string::npos) << options.error().text;
  }
}

TEST_F(OptionsTest, HelpAndVersion) {
  const auto help = parse({"--help"});
  ASSERT_FALSE(help);
  EXPECT_EQ(help.error().code, 0);
  for (const char* flag : {"--foreground", "--status", "--metrics", "--threads", "--udp-io", "--aead", "--mtu",
                           "--json", "--log-level", "--log-format", "--log-file", "FIRELINE_WG_MTU"}) {
    EXPECT_THAT(help.error().text, HasSubstr(flag));
  }
  const auto version = parse({"--version"});
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().code, 0);
  EXPECT_EQ(version.error().text, "fireline-wg " FIRELINE_VERSION "\n");
}

}  // namespace
}  // namespace fireline::wg
