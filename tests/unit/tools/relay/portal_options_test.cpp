// Whether the relay has a portal, and where its token comes from.
#include "tools/relay/portal_options.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/unit/tools/relay/option_fixture.h"

namespace fireline::relay {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* kPublic = "--public-ip4-addr=203.0.113.10";
constexpr const char* kUrl = "--api-url=wss://portal.test/";

class PortalOptionsTest : public RelayOptionsTest {
 protected:
  void SetUp() override {
    RelayOptionsTest::SetUp();
    folder_ = std::filesystem::temp_directory_path() / ("portal_options." + std::to_string(::getpid()));
    std::filesystem::create_directory(folder_);
  }
  void TearDown() override {
    std::filesystem::remove_all(folder_);
    RelayOptionsTest::TearDown();
  }
  std::string file(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const auto path = folder_ / name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  // Of a relay with a portal.
  static std::string token(const std::vector<const char*>& arguments) {
    const auto options = parse(arguments);
    if (!options) return "error: " + options.error().text;
    return options->portal ? std::string(options->portal->token.view()) : "none";
  }

  std::filesystem::path folder_;
};

TEST_F(PortalOptionsTest, WithoutUrlAndTokenItRunsOnItsOwn) {
  setenv("FIREZONE_TOKEN", "", 1);
  setenv("FIREZONE_API_URL", "", 1);
  setenv("FIREZONE_NAME", "relay-1", 1);
  const auto options = parse({kPublic});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_FALSE(options->portal);
  EXPECT_THAT(options->notes, ::testing::ElementsAre(HasSubstr("FIREZONE_NAME"))) << "a name without a portal";
}

TEST_F(PortalOptionsTest, TheEnvironmentOfAFirezoneRelay) {
  setenv("FIREZONE_TOKEN", ".t0k\n", 1);
  setenv("FIREZONE_NAME", "relay-1", 1);
  setenv("FIREZONE_API_URL", "ws://portal:8081", 1);
  const auto options = parse({kPublic});
  ASSERT_TRUE(options) << options.error().text;
  ASSERT_TRUE(options->portal);
  EXPECT_EQ(options->portal->url.to_string(), portal::PortalUrl::parse("ws://portal:8081")->to_string());
  EXPECT_EQ(options->portal->token.view(), ".t0k") << "without the newline that secrets end in";
  EXPECT_EQ(options->portal->name, "relay-1");
  EXPECT_EQ(options->portal->patience, 24h);
  EXPECT_EQ(options->auth, AuthKind::firezone);
  EXPECT_TRUE(options->notes.empty());
  EXPECT_EQ(std::getenv("FIREZONE_TOKEN"), nullptr) << "programs that it might start do not see it";
}

TEST_F(PortalOptionsTest, TheTokenIsTheFirstThatThereIs) {
  const auto argument = file("argument", "of-the-arguments-file\n", 0644);
  const auto own = file("own", "of-the-file\n");
  const auto credentials = file("FIREZONE_TOKEN", "of-the-credential\n");
  const std::string token_file = "--token-file=" + own;
  EXPECT_EQ(token({kPublic, kUrl, "argument", "name"}), "argument") << "the first positional";
  EXPECT_EQ(token({kPublic, kUrl, argument.c_str()}), "of-the-arguments-file") << "it names a file";
  EXPECT_EQ(token({kPublic, kUrl, "--", "--argument="}), "--argument=") << "behind -- nothing is a flag";
  setenv("FIREZONE_TOKEN", "of-the-environment", 1);
  EXPECT_EQ(token({kPublic, kUrl, "argument", token_file.c_str()}), "argument") << "arguments win";
  setenv("FIREZONE_TOKEN", "of-the-environment", 1);
  EXPECT_EQ(token({kPublic, kUrl, token_file.c_str()}), "of-the-environment") << "then the variable";
  setenv("FIREZONE_TOKEN", argument.c_str(), 1);
  EXPECT_EQ(token({kPublic, kUrl}), "of-the-arguments-file") << "which may name a file, too";
  setenv("CREDENTIALS_DIRECTORY", folder_.c_str(), 1);
  EXPECT_EQ(token({kPublic, kUrl, token_file.c_str()}), "of-the-file") << "then the flag's file";
  file("own", "\xEF\xBB\xBFof-the-editor\r\n");
  EXPECT_EQ(token({kPublic, kUrl, token_file.c_str()}), "of-the-editor") << "without the mark that some editors write";
  EXPECT_EQ(token({kPublic, kUrl}), "of-the-credential") << "then systemd's credential";
  EXPECT_EQ(token({kPublic}), "none") << "a credential alone asks for no portal";
}

TEST_F(PortalOptionsTest, WhatIsWrongGetsASentenceWithoutTheToken) {
  const auto open = "--token-file=" + file("open", "very-secret", 0644);
  const auto empty = "--token-file=" + file("empty", " \n");
  const auto long_file = "--token-file=" + file("long", std::string(20'000, 'x'));
  const auto absent = "--token-file=" + (folder_ / "absent").string();
  struct Row {
    std::vector<const char*> arguments;
    const char* sentence;
  };
  const Row rows[] = {
      {{kPublic, "very-secret"}, "there is a portal token and no portal: add --api-url"},
      {{kPublic, kUrl}, "--api-url needs a token"},
      {{kPublic, "--api-url=portal.test", "very-secret"}, "--api-url: "},
      {{kPublic, "--api-url=ftp://portal.test", "very-secret"}, "--api-url: "},
      {{kPublic, kUrl, open.c_str()}, "others may read it: use chmod 600"},
      {{kPublic, kUrl, empty.c_str()}, "it is empty"},
      {{kPublic, kUrl, long_file.c_str()}, "it has more than 16384 bytes"},
      {{kPublic, kUrl, absent.c_str()}, "cannot read the portal token"},
      {{kPublic, kUrl, "very-secret", "name", "--max-partition-time=90"}, "use numbers with units"},
      {{kPublic, kUrl, "very-secret", "name", "--max-partition-time=3651d"}, "at most 3650d"},
      {{kPublic, kUrl, "very-secret", "--auth=static", "--users=u"}, "leave --auth static out, or the portal"},
      {{kUrl, "very-secret"}, "no public address is given"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const std::string text = refusal_of(row.arguments);
    EXPECT_THAT(text, HasSubstr(row.sentence));
    EXPECT_EQ(text.find("very-secret"), std::string::npos);
  }
}

TEST_F(PortalOptionsTest, OptionsOfOurOwn) {
  const auto options = parse({kPublic, kUrl, "t0k", "--ca-file=/ca.pem", "--max-partition-time=15m"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->portal->ca_file, "/ca.pem");
  EXPECT_EQ(options->portal->patience, 15min);
  EXPECT_EQ(options->portal->name, "") << "no host name stands in for it";
}

}  // namespace
}  // namespace fireline::relay
