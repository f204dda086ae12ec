// Relay specification 1.4 to 1.6: credentials, nonces, and the order of the checks.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "relay/protocol/credentials.h"
#include "tests/unit/relay/protocol/relay_fixture.h"

namespace fireline::relay {
namespace {

constexpr std::string_view kSocket = "198.51.100.7:51820";

struct NameRow {
  std::string_view rule;
  std::string_view username;
  bool known;
  bool expired;
};
const NameRow kNames[] = {
    {"expiry and salt", "4102444800:salt", true, false},
    {"an empty salt is a salt", "4102444800:", true, false},
    {"expiry in this second is not over", "1763500000:salt", true, false},
    {"expiry a second ago is over", "1763499999:salt", true, true},
    {"zero is a number", "0:salt", true, true},
    {"the largest 64-bit number", "18446744073709551615:salt", true, false},
    {"one more overflows", "18446744073709551616:salt", false, false},
    {"no colon", "4102444800", false, false},
    {"three parts", "4102444800:a:b", false, false},
    {"no number", ":salt", false, false},
    {"a sign", "+4102444800:salt", false, false},
    {"minus", "-1:salt", false, false},
    {"a leading zero", "04102444800:salt", false, false},
    {"a space", " 4102444800:salt", false, false},
    {"letters behind the digits", "4102444800x:salt", false, false},
    {"nothing", "", false, false},
};

TEST(FirezoneCredentials, NamesAreReadStrictly) {
  const FirezoneCredentials credentials{kSecret};
  for (const NameRow& row : kNames) {
    SCOPED_TRACE(row.rule);
    const auto user = credentials.find(row.username, UnixTime(std::chrono::seconds(kWallStart)));
    ASSERT_EQ(user.has_value(), row.known);
    if (user) {
      EXPECT_EQ(user->expired, row.expired);
    }
    EXPECT_EQ(credentials.password(row.username).has_value(), row.known);
  }
}

TEST(FirezoneCredentials, ADrawnSecretIsHexTextAndDiffersFromTheNext) {
  ScriptedRandom random;
  const auto first = FirezoneCredentials::draw(random);
  const auto second = FirezoneCredentials::draw(random);
  EXPECT_EQ(first.secret().size(), 64u);
  EXPECT_EQ(first.secret().find_first_not_of("0123456789abcdef"), std::string_view::npos);
  EXPECT_NE(first.secret(), second.secret());
}

struct FileRow {
  std::string_view rule;
  std::string_view file;
  std::size_t users;       // 0: an error
  std::string_view error;  // the sentence
};
const FileRow kFiles[] = {
    {"users, comments, blank lines, carriage returns", "# list\n\nann:one\r\nbob:t:wo\n", 2, ""},
    {"the last line needs no newline", "ann:one", 1, ""},
    {"an editor's byte order mark before a comment", "\xEF\xBB\xBF# list\nann:one\n", 1, ""},
    {"it is skipped at the beginning alone", "\xEF\xBB\xBF\xEF\xBB\xBF# list\n", 0,
     "line 1: there is no colon between user and password"},
    {"a line without colon", "ann:one\nbob\n", 0, "line 2: there is no colon between user and password"},
    {"no user", ":one\n", 0, "line 1: the user is empty"},
    {"no password", "\nann:\n", 0, "line 2: the password is empty"},
    {"twice the same user", "ann:one\nann:two\n", 0, "line 2: this user has a line already"},
};

TEST(StaticCredentials, FilesAreReadLineByLine) {
  for (const FileRow& row : kFiles) {
    SCOPED_TRACE(row.rule);
    const auto users = StaticCredentials::parse("example.org", row.file);
    ASSERT_EQ(users.has_value(), row.users > 0);
    if (users) {
      EXPECT_EQ(users->size(), row.users);
    } else {
      EXPECT_EQ(users.error(), row.error);
    }
  }
  const auto users = StaticCredentials::parse("example.org", "bob:t:wo");
  const auto bob = users->find("bob", UnixTime{});
  ASSERT_TRUE(bob.has_value());
  EXPECT_TRUE(std::ranges::equal(bob->key.bytes(), stun::LongTermKey("bob", "example.org", "t:wo").bytes()));
  EXPECT_FALSE(users->find("ann", UnixTime{}).has_value());
  EXPECT_TRUE(StaticCredentials::parse("example.org",
                                       "\xEF\xBB\xBF"
                                       "ann:one\n")
                  ->find("ann", UnixTime{})
                  .has_value())
      << "the mark is no part of the name";
}

struct NonceRow {
  std::string_view rule;
  std::string_view text;
  bool read;
};
const NonceRow kNonces[] = {
    {"as sent", "00000000-0000-0000-0000-0000000000aa", true},
    {"upper case", "00000000-0000-0000-0000-0000000000AA", true},
    {"without hyphens", "000000000000000000000000000000aa", true},
    {"a hyphen in another place", "0000000-00000-0000-0000-0000000000aa", false},
    {"not hexadecimal", "00000000-0000-0000-0000-0000000000ag", false},
    {"one digit short", "00000000-0000-0000-0000-0000000000a", false},
    {"one digit more", "00000000-0000-0000-0000-0000000000aaa", false},
    {"nothing", "", false},
};

TEST(Nonce, TextsOfUuidsAreRead) {
  for (const NonceRow& row : kNonces) {
    SCOPED_TRACE(row.rule);
    const auto nonce = Nonce::parse(row.text);
    ASSERT_EQ(nonce.has_value(), row.read);
    if (!nonce) continue;
    const auto text = nonce->text();
    EXPECT_EQ(std::string_view(text.data(), text.size()), "00000000-0000-0000-0000-0000000000aa");
  }
}

// One request to Refresh in each state of its four attributes; a client without allocation that gets through is
// answered 437.
struct OrderRow {
  std::string_view rule;
  bool integrity;
  std::string_view username;  // empty: none
  std::string_view nonce;     // "good": the client's; empty: none
  std::string_view password;
  Code code;
  bool answer_signed;
};
const OrderRow kOrder[] = {
    {"all right", true, kUsername, "good", kPassword, 437, true},
    {"no integrity, nothing else", false, "", "", kPassword, 401, false},
    {"no integrity: 401, signed by the name", false, kUsername, "good", kPassword, 401, true},
    {"no integrity comes before an unknown nonce", false, kUsername, "99999999-9999-9999-9999-999999999999", kPassword,
     401, true},
    {"no username", true, "", "good", kPassword, 401, false},
    {"no nonce", true, kUsername, "", kPassword, 401, true},
    {"a nonce that is no UUID", true, kUsername, "nonce1", kPassword, 401, true},
    {"a nonce never issued", true, kUsername, "99999999-9999-9999-9999-999999999999", kPassword, 438, true},
    {"an unknown nonce comes before a wrong password", true, kUsername, "99999999-9999-9999-9999-999999999999", "no",
     438, true},
    {"a username that does not split: silence", true, "fireline", "good", kPassword, -1, false},
    {"such a username without integrity: silence", false, "fireline", "good", kPassword, -1, false},
    {"such a username with an unknown nonce: silence", true, "fireline", "99999999-9999-9999-9999-999999999999",
     kPassword, -1, false},
    {"an expired username", true, "1:salt", "good", kPassword, 401, true},
    {"a wrong password", true, kUsername, "good", "no", 401, true},
};

TEST(Authentication, EachStepAnswersAsTheOrderSays) {
  for (const OrderRow& row : kOrder) {
    SCOPED_TRACE(row.rule);
    Relay relay;
    Client client(relay, kSocket);
    client.sign = false;
    ASSERT_EQ(client.refresh(), 401);
    const std::string good = client.nonce;

    std::array<std::byte, 512> buffer;
    stun::MessageWriter writer(buffer, stun::MessageClass::request, stun::Method::refresh, {});
    if (!row.username.empty()) writer.add_text(stun::Attribute::username, row.username);
    if (!row.nonce.empty()) writer.add_text(stun::Attribute::nonce, row.nonce == "good" ? good : row.nonce);
    const stun::LongTermKey key(row.username, "firezone", row.password);
    if (row.integrity) writer.add_integrity(key.bytes());
    const auto answer = relay.send(client.endpoint, writer.message());
    ASSERT_EQ(answer.has_value(), row.code >= 0);
    relay.expect_consistent();
    if (!answer) {
      EXPECT_EQ(relay.count(ServerCounter::drop_control_username), 1u);
      continue;
    }
    const auto message = stun::MessageView::parse(*answer);
    EXPECT_EQ(message->find_error_code()->code, row.code);
    EXPECT_EQ(message->has(stun::Attribute::nonce), row.code != 437);
    // Signed with the name's right password, whatever the request was signed with.
    const auto password = FirezoneCredentials(kSecret).password(row.username);
    const stun::LongTermKey right(row.username, "firezone", password ? password->view() : "");
    EXPECT_EQ(stun::check_integrity(*message, right.bytes()),
              row.answer_signed ? stun::Check::good : stun::Check::absent);
  }
}

TEST(Authentication, ARequestWithAlteredBytesIsRefused) {
  Relay relay;
  Client client(relay, kSocket);
  ASSERT_EQ(client.allocate(), 0);
  std::array<std::byte, 512> buffer;
  stun::MessageWriter writer(buffer, stun::MessageClass::request, stun::Method::refresh, {});
  writer.add_u32(stun::Attribute::lifetime, 600);
  writer.add_text(stun::Attribute::username, client.username);
  writer.add_text(stun::Attribute::nonce, client.nonce);
  writer.add_integrity(stun::LongTermKey(client.username, client.realm, client.password).bytes());
  const ConstBytes message = writer.message();
  buffer[27] = std::byte{0};  // LIFETIME 600 becomes 512
  const auto answer = relay.send(client.endpoint, message);
  EXPECT_EQ(stun::MessageView::parse(*answer)->find_error_code()->code, 401);
}

TEST(Nonces, ServeTenThousandRequestsThen438ThenTheNewOneServes) {
  Relay relay;
  Client client(relay, kSocket);
  ASSERT_EQ(client.allocate(), 0);  // first use
  const std::string first = client.nonce;
  for (int use = 2; use <= 10000; ++use) ASSERT_EQ(client.ask(stun::Method::create_permission, {}), 0);
  EXPECT_EQ(client.ask(stun::Method::create_permission, {}), 438);
  EXPECT_NE(client.nonce, first);
  EXPECT_EQ(client.ask(stun::Method::create_permission, {}), 0);
  EXPECT_EQ(relay.count(ServerCounter::nonces_used_up), 1u);
  client.nonce = first;
  EXPECT_EQ(client.ask(stun::Method::create_permission, {}), 438) << "the old one is forgotten";
}

TEST(Nonces, HaveNoLimitInTime) {
  Relay relay;
  Client client(relay, kSocket);
  ASSERT_EQ(client.ask_twice(stun::Method::create_permission, {}), 0);
  relay.advance(24h * 30);
  EXPECT_EQ(client.ask(stun::Method::create_permission, {}), 0);
}

TEST(Nonces, BelongToTheClientSocket) {
  Relay relay;
  Client client(relay, kSocket);
  Client other(relay, "198.51.100.7:51821");
  ASSERT_EQ(client.ask_twice(stun::Method::create_permission, {}), 0);
  other.nonce = client.nonce;
  EXPECT_EQ(other.ask(stun::Method::create_permission, {}), 438);
  EXPECT_NE(other.nonce, client.nonce);
}

TEST(Nonces, AnswersToRequestsInFlightCarryTheSameOne) {
  Relay relay;
  Client client(relay, kSocket);
  ASSERT_EQ(client.ask(stun::Method::create_permission, {}), 401);
  const std::string first = client.nonce;
  client.nonce = "99999999-9999-9999-9999-999999999999";
  EXPECT_EQ(client.ask(stun::Method::create_permission, {}), 438);
  EXPECT_EQ(client.nonce, first);
}

TEST(Nonces, AWrongSignatureCountsAUseAndGetsANewNonce) {
  ServerConfig config = firezone_config();
  config.limits.nonce_uses = 1;
  Relay relay(config);
  Client client(relay, kSocket, kUsername, "wrong");
  ASSERT_EQ(client.ask(stun::Method::create_permission, {}), 401);
  const std::string first = client.nonce;
  EXPECT_EQ(client.ask(stun::Method::create_permission, {}), 401);
  EXPECT_NE(client.nonce, first);
}

TEST(Nonces, OneThatIsUsedUpIsNotGivenToWhoForgotIt) {
  ServerConfig config = firezone_config();
  config.limits.nonce_uses = 1;
  Relay relay(config);
  Client client(relay, kSocket);
  ASSERT_EQ(client.ask_twice(stun::Method::create_permission, {}), 0);
  const std::string first = std::exchange(client.nonce, "");
  EXPECT_EQ(client.ask(stun::Method::create_permission, {}), 401);
  EXPECT_NE(client.nonce, first);
  EXPECT_EQ(client.ask(stun::Method::create_permission, {}), 0);
}

TEST(Nonces, AreBoundedAndTheOneUsedLongestAgoGoes) {
  ServerConfig config = firezone_config();
  config.limits.nonces = 2;
  Relay relay(config);
  Client first(relay, "198.51.100.1:1");
  Client second(relay, "198.51.100.2:1");
  Client third(relay, "198.51.100.3:1");
  ASSERT_EQ(first.ask_twice(stun::Method::create_permission, {}), 0);
  ASSERT_EQ(second.ask_twice(stun::Method::create_permission, {}), 0);
  ASSERT_EQ(first.ask(stun::Method::create_permission, {}), 0);
  ASSERT_EQ(third.ask_twice(stun::Method::create_permission, {}), 0);
  EXPECT_EQ(relay.server.gauges().nonces, 2u);
  EXPECT_EQ(relay.count(ServerCounter::nonces_evicted), 1u);
  EXPECT_EQ(first.ask(stun::Method::create_permission, {}), 0);
  EXPECT_EQ(second.ask(stun::Method::create_permission, {}), 438);
  EXPECT_EQ(second.ask(stun::Method::create_permission, {}), 0) << "recovers by itself";
}

TEST(Authentication, ExpiryIsCheckedOnEveryRequestAndEndsNothingThatRuns) {
  Relay relay;
  const std::string username = std::to_string(kWallStart + 100) + ":salt";
  const auto password = FirezoneCredentials(kSecret).password(username);
  Client client(relay, kSocket, username, password->view());
  ASSERT_EQ(client.allocate(), 0);
  ASSERT_EQ(client.bind(0x4000, "192.0.2.33:1"), 0);
  relay.advance(101s);
  EXPECT_EQ(client.refresh(), 401);
  EXPECT_NE(client.to_peer(0x4000, "data"), "dropped");
  relay.now.wall -= 50s;  // the wall clock was set back
  EXPECT_EQ(client.refresh(), 0);
}

TEST(StaticAuthentication, UnknownUsersAndWrongPasswordsLookTheSame) {
  Relay relay(static_config());
  Client unknown(relay, "198.51.100.1:1", "nobody", "pa", "example.org");
  Client wrong(relay, "198.51.100.2:1", "a", "no", "example.org");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(unknown.ask(stun::Method::refresh, {}), 401);
    EXPECT_EQ(wrong.ask(stun::Method::refresh, {}), 401);
    EXPECT_EQ(unknown.last.integrity, stun::Check::absent);
    EXPECT_EQ(wrong.last.integrity, stun::Check::absent);
    EXPECT_EQ(unknown.last.bytes, wrong.last.bytes);
  }
  Client good(relay, "198.51.100.3:1", "a", "pa", "example.org");
  EXPECT_EQ(good.refresh(), 437);
  EXPECT_EQ(good.last.integrity, stun::Check::good);
}

// A NAT that restarted gives a host the endpoint of somebody whose allocation still lives.
TEST(FirezoneAuthentication, AStrangerMayRemoveButNotTakeOverAnAllocation) {
  Relay relay;
  const FirezoneCredentials credentials(kSecret);
  const auto user = [&](const std::string& name) {
    return Client(relay, kSocket, name, std::string(credentials.password(name)->view()));
  };
  Client owner = user("4102444800:one-key");
  ASSERT_EQ(owner.allocate(), 0);
  Client renewed = user("4102444801:one-key");
  renewed.nonce = owner.nonce;
  EXPECT_EQ(renewed.refresh(), 0) << "the same key with another expiry";
  Client stranger = user("4102444800:another-key");
  stranger.nonce = owner.nonce;
  EXPECT_EQ(stranger.refresh(), 437);
  EXPECT_EQ(stranger.bind(0x4000, "192.0.2.33:1"), 437);
  EXPECT_EQ(stranger.allocate(), 437);
  EXPECT_EQ(stranger.refresh(0), 0) << "what 437 makes it do";
  EXPECT_EQ(stranger.allocate(), 0);
  relay.expect_consistent();
}

TEST(StaticAuthentication, AnotherUserCannotUseTheAllocation) {
  Relay relay(static_config());
  Client client(relay, kSocket, "a", "pa", "example.org");
  ASSERT_EQ(client.allocate(), 0);
  Client other(relay, kSocket, "b", "pb", "example.org");
  other.nonce = client.nonce;
  EXPECT_EQ(other.refresh(0), 441);
  EXPECT_EQ(other.bind(0x4000, "192.0.2.33:1"), 441);
  EXPECT_EQ(other.permit({"192.0.2.33:1"}), 441);
  EXPECT_EQ(relay.server.gauges().allocations, 1u);
}

}  // namespace
}  // namespace fireline::relay
