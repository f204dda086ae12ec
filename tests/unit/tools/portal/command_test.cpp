#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <sstream>

#include "tests/unit/core/crypto/seeded_random.h"
#include "tests/unit/io/temporary_directory.h"
#include "tools/portal/commands.h"
#include "tools/portal/policy_command.h"
#include "tools/portal/token_command.h"

namespace fireline::portal_tool {
namespace {

using portal::TokenKind;

constexpr portal::Timestamp kNoon = 1'800'000'000;  // 2027-01-15T08:00:00Z

class CommandTest : public testing::Test {
 protected:
  int check(const std::string& path) {
    clear();
    return check_policy(path, output_, errors_);
  }
  int create(TokenKind kind, const std::string& owner, std::optional<portal::Timestamp> lasts = {}) {
    clear();
    return create_token(*store_, document_, {.kind = kind, .owner = owner, .lasts = lasts}, kNoon, output_, errors_);
  }
  int list(portal::Timestamp now = kNoon) {
    clear();
    return list_tokens(*store_, now, output_, errors_);
  }
  int revoke(const std::string& id) {
    clear();
    return revoke_token(*store_, id, kNoon, output_, errors_);
  }
  void clear() {
    output_.str("");
    errors_.str("");
  }
  std::optional<portal::Token> made() {
    std::string text = output_.str();
    if (!text.empty()) text.pop_back();
    const auto token = store_->find_token(portal::token_hash(text));
    return token ? *token : std::nullopt;
  }

  io::TemporaryDirectory directory_;
  crypto::SeededRandom random_{1};
  std::unique_ptr<SqliteStore> store_ = SqliteStore::open(directory_.path() + "/portal.db", random_).value();
  policy::Document document_ = load_policy(FIRELINE_SOURCE_DIR "/docs/examples/policy.json").value();
  std::ostringstream output_;
  std::ostringstream errors_;
};

TEST_F(CommandTest, CheckSaysWhatAFileHolds) {
  EXPECT_EQ(check(FIRELINE_SOURCE_DIR "/docs/examples/policy.json"), 0);
  EXPECT_NE(output_.str().find("account example, sites: 2, resources: 4, groups: 3, actors: 3, policies: 3"),
            std::string::npos)
      << output_.str();
  EXPECT_EQ(errors_.str(), "");
}

TEST_F(CommandTest, CheckSaysEveryMistakeWithItsPlace) {
  const std::string path = directory_.path() + "/policy.json";
  std::ofstream(path) << "{\n  \"acount\": {}\n}";
  EXPECT_EQ(check(path), 1);
  EXPECT_EQ(errors_.str(), path + ":1:1: expected a key \"account\"\n" + path +
                               ":2:3: unknown key \"acount\"; did you mean \"account\"?\n");
  EXPECT_EQ(output_.str(), "");
}

TEST_F(CommandTest, CheckSaysWhyAFileCannotBeRead) {
  EXPECT_EQ(check(directory_.path() + "/none"), 1);
  EXPECT_NE(errors_.str().find("cannot be read: No such file"), std::string::npos) << errors_.str();
  EXPECT_EQ(check(directory_.path()), 1);
  EXPECT_NE(errors_.str().find("cannot be read: Is a directory"), std::string::npos) << errors_.str();
}

TEST_F(CommandTest, ATokenBelongsToItsActorOrSite) {
  ASSERT_EQ(create(TokenKind::client, "alice"), 0);
  ASSERT_TRUE(made().has_value());
  EXPECT_EQ(made()->owner, document_.actor_named("alice")->id);
  EXPECT_EQ(made()->expires, kNoon + kUserTokenSeconds) << "a user's token";
  ASSERT_EQ(create(TokenKind::client, "backup"), 0);
  EXPECT_EQ(made()->expires, std::nullopt) << "a service account's token";
  ASSERT_EQ(create(TokenKind::gateway, "lab", 60), 0);
  EXPECT_EQ(made()->owner, document_.site_named("lab")->id);
  EXPECT_EQ(made()->expires, kNoon + 60);
  ASSERT_EQ(create(TokenKind::relay, ""), 0);
  EXPECT_EQ(made()->kind, TokenKind::relay);
}

// As on a full disk: what is written behind the buffer is lost.
TEST_F(CommandTest, ATokenThatNobodyGotIsRevoked) {
  std::ofstream full("/dev/full");
  EXPECT_EQ(create_token(*store_, document_, {.kind = TokenKind::client, .owner = "alice", .lasts = {}}, kNoon, full,
                         errors_),
            1);
  EXPECT_EQ(errors_.str(),
            "fireline-portal: the token could not be written, and is revoked: make another one where there is room\n");
  ASSERT_EQ(list(), 0);
  EXPECT_NE(output_.str().find(" revoked created "), std::string::npos) << output_.str();
}

TEST_F(CommandTest, NorIsOneValidWhosePipeHasNoReader) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ::close(ends[0]);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    (void)std::signal(SIGPIPE, SIG_DFL);
    ::dup2(ends[1], STDOUT_FILENO);
    Options options;
    options.command = Command::token_create;
    options.policy = FIRELINE_SOURCE_DIR "/docs/examples/policy.json";
    options.state = directory_.path() + "/portal.db";
    options.owner = "alice";
    ::_exit(run_subcommand(options));
  }
  ::close(ends[1]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  ASSERT_EQ(list(), 0);
  EXPECT_NE(output_.str().find(" revoked created "), std::string::npos) << output_.str();
}

TEST_F(CommandTest, WhatCannotBeIsRefused) {
  EXPECT_EQ(create(TokenKind::client, "office"), 1);
  EXPECT_EQ(errors_.str(),
            "fireline-portal: the policy has no actor \"office\"; it has \"alice\", \"bob\", \"backup\"\n");
  EXPECT_EQ(create(TokenKind::client, "alicia"), 1);
  EXPECT_EQ(errors_.str(), "fireline-portal: the policy has no actor \"alicia\"; did you mean \"alice\"?\n");
  EXPECT_EQ(create(TokenKind::gateway, "alice"), 1);
  EXPECT_EQ(errors_.str(), "fireline-portal: the policy has no site \"alice\"; it has \"lab\", \"exit\"\n");
  EXPECT_EQ(create(TokenKind::relay, "lab"), 1);
  EXPECT_EQ(create(TokenKind::client, "alice", 0), 1);
  EXPECT_EQ(revoke("1"), 1);
  EXPECT_EQ(revoke("11111111-1111-4111-8111-111111111111"), 1);
  EXPECT_EQ(list(), 0);
  EXPECT_EQ(output_.str(), "");
}

TEST_F(CommandTest, TheListShowsStateAndTimesButNoText) {
  ASSERT_EQ(create(TokenKind::client, "alice", 60), 0);
  const std::string text = output_.str();
  const std::string id = made()->id.to_string();
  ASSERT_EQ(list(), 0);
  EXPECT_EQ(output_.str(), id + " client \"alice\" valid created 2027-01-15T08:00:00Z expires 2027-01-15T08:01:00Z\n");
  EXPECT_EQ(list(kNoon + 60), 0);
  EXPECT_NE(output_.str().find(" expired "), std::string::npos);
  ASSERT_EQ(revoke(id), 0);
  EXPECT_EQ(output_.str(), "revoked " + id + "\n");
  ASSERT_EQ(list(), 0);
  EXPECT_NE(output_.str().find(" revoked created "), std::string::npos) << output_.str();
  EXPECT_EQ(output_.str().find(text.substr(0, 20)), std::string::npos);
}

}  // namespace
}  // namespace fireline::portal_tool
