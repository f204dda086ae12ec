#include "tools/portal/store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>
#include <vector>

#include "core/portal/address_pool.h"
#include "tests/unit/core/crypto/seeded_random.h"
#include "tests/unit/io/temporary_directory.h"
#include "tools/portal/grant_file.h"

namespace fireline::portal_tool {
namespace {

using portal::DeviceKey;
using portal::DeviceKind;
using portal::TokenKind;

constexpr portal::Timestamp kNoon = 1'800'000'000;

Uuid id_of(std::uint8_t number) {
  Uuid id;
  id.bytes[15] = number;
  return id;
}

DeviceKey key_of(std::string external_id, DeviceKind kind = DeviceKind::client, std::uint8_t owner = 2) {
  return {.account = id_of(1), .kind = kind, .owner = id_of(owner), .external_id = std::move(external_id)};
}

class SqliteStoreTest : public testing::Test {
 protected:
  std::unique_ptr<SqliteStore> open() {
    auto store = SqliteStore::open(path_, random_);
    if (store) return std::move(*store);
    ADD_FAILURE() << store.error();
    return nullptr;
  }

  io::TemporaryDirectory directory_;
  std::string path_ = directory_.path() + "/portal.db";
  crypto::SeededRandom random_{1};
};

TEST_F(SqliteStoreTest, ADeviceComesBackAsTheSameOne) {
  auto store = open();
  const auto first = store->register_device(key_of("a"), "alice's", kNoon);
  EXPECT_TRUE(store->commit());
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(portal::pool_offset(first->ipv4).has_value());
  EXPECT_TRUE(portal::pool_offset(first->ipv6).has_value());
  EXPECT_FALSE(first->psk_base.is_zero());

  store = open();
  const auto again = store->register_device(key_of("a"), "renamed", kNoon + 7200);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->id, first->id);
  EXPECT_EQ(again->ipv4, first->ipv4);
  EXPECT_EQ(again->ipv6, first->ipv6);
  EXPECT_EQ(again->psk_base, first->psk_base);
  EXPECT_EQ(again->created, kNoon);
  EXPECT_EQ(again->last_seen, kNoon + 7200);
  EXPECT_EQ(again->name, "alice's") << "a client keeps its first name";
}

TEST_F(SqliteStoreTest, AGatewayTakesItsLatestName) {
  const auto store = open();
  const DeviceKey key = key_of("g", DeviceKind::gateway);
  ASSERT_TRUE(store->register_device(key, "one", kNoon).has_value());
  EXPECT_EQ(store->register_device(key, "two", kNoon)->name, "two");
  EXPECT_TRUE(store->commit());
  EXPECT_EQ(open()->register_device(key, "two", kNoon)->name, "two");
}

TEST_F(SqliteStoreTest, WithoutACommitNothingIsKept) {
  auto store = open();
  const auto kept = store->register_device(key_of("a"), "", kNoon);
  EXPECT_TRUE(store->commit());
  EXPECT_TRUE(store->commit()) << "there is nothing to commit";
  const auto lost = store->register_device(key_of("b"), "", kNoon);
  EXPECT_EQ(store->register_device(key_of("b"), "", kNoon)->id, lost->id) << "within the turn it is there";
  store.reset();
  store = open();
  EXPECT_EQ(store->register_device(key_of("a"), "", kNoon)->id, kept->id);
  EXPECT_NE(store->register_device(key_of("b"), "", kNoon)->id, lost->id);
}

TEST_F(SqliteStoreTest, AGroupThatWasRolledBackIsNotCommitted) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
  GroupCommit writes(database);
  EXPECT_TRUE(writes.begin());
  EXPECT_EQ(sqlite3_exec(database, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK) << "as a full disk does";
  EXPECT_FALSE(writes.commit());
  EXPECT_TRUE(writes.commit()) << "the next one begins anew";
  sqlite3_close(database);
}

TEST_F(SqliteStoreTest, EachPartOfTheKeyMakesAnotherDevice) {
  const auto store = open();
  DeviceKey other_account = key_of("a");
  other_account.account = id_of(9);
  std::set<Uuid> ids;
  std::set<IpAddress> addresses;
  const DeviceKey keys[] = {key_of("a"),
                            key_of("b"),
                            key_of("a", DeviceKind::gateway),
                            key_of("a", DeviceKind::client, 3),
                            other_account,
                            key_of(std::string("a\0b", 3))};
  for (const DeviceKey& key : keys) {
    const auto device = store->register_device(key, "", kNoon);
    ASSERT_TRUE(device.has_value());
    ids.insert(device->id);
    addresses.insert(device->ipv4);
    addresses.insert(device->ipv6);
  }
  EXPECT_EQ(ids.size(), std::size(keys));
  EXPECT_EQ(addresses.size(), 2 * std::size(keys));
}

TEST_F(SqliteStoreTest, AnOwnersShareIsLimitedAndTheLeastRecentlySeenGivesWay) {
  const auto store = open();
  const auto seen = [](std::size_t number) { return kNoon + static_cast<portal::Timestamp>(number) * 3600; };
  std::vector<Uuid> ids;
  for (std::size_t i = 0; i < portal::kDevicesOwnerMax; ++i) {
    const auto device = store->register_device(key_of(std::to_string(i)), "", seen(i));
    ASSERT_TRUE(device.has_value()) << i;
    ids.push_back(device->id);
  }
  const auto more = store->register_device(key_of("more"), "", seen(0));
  ASSERT_FALSE(more.has_value());
  EXPECT_EQ(more.error(), portal::StoreError::full);
  EXPECT_TRUE(store->register_device(key_of("0"), "", seen(5000)).has_value()) << "it is known";
  EXPECT_TRUE(store->register_device(key_of("more", DeviceKind::gateway), "", seen(0)).has_value());
  EXPECT_TRUE(store->register_device(key_of("more", DeviceKind::client, 3), "", seen(0)).has_value());

  const auto spare_first = [&](const Uuid& id) { return id == ids[1]; };
  EXPECT_EQ(store->forget_devices(key_of("more"), spare_first), std::vector{ids[2]}) << "0 was seen again, 1 is spared";
  EXPECT_TRUE(store->register_device(key_of("more"), "", seen(5000)).has_value());
  EXPECT_TRUE(store->commit());
  const auto none = store->forget_devices(key_of("more"), [](const Uuid&) { return true; });
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error(), portal::StoreError::full);
}

TEST_F(SqliteStoreTest, ADeviceThatWasSeenIsNotTheFirstToGo) {
  auto store = open();
  const auto first = store->register_device(key_of("a"), "", kNoon);
  const auto second = store->register_device(key_of("b"), "", kNoon + 3600);
  EXPECT_TRUE(store->device_seen(first->id, kNoon + 7200 + 59));
  EXPECT_TRUE(store->commit());
  store = open();
  EXPECT_EQ(store->forget_devices(key_of("c"), [](const Uuid&) { return false; }), std::vector{second->id});
  EXPECT_EQ(store->register_device(key_of("a"), "", kNoon + 7200)->last_seen, kNoon + 7200);
}

// What a state file from before there were shares holds.
void add_devices(const std::string& path, std::size_t count, const std::string& like) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  const std::string sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                          std::to_string(count) +
                          ") INSERT INTO device SELECT randomblob(16), account, kind, owner, 'old' || i, '', "
                          "(ipv4 + i) % 2000000 + 2, (ipv6 + i) % 2000000 + 2, psk_base, created, last_seen "
                          "FROM device, n WHERE external_id = '" +
                          like + "'";
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
  sqlite3_close(database);
}

TEST_F(SqliteStoreTest, AnOwnerFarAboveItsShareLosesSomeAtOnce) {
  const auto store = open();
  const auto nobody = [](const Uuid&) { return false; };
  ASSERT_TRUE(store->register_device(key_of("first"), "", kNoon).has_value());
  EXPECT_TRUE(store->commit());
  add_devices(path_, portal::kDevicesOwnerMax + portal::kForgottenMax, "first");
  EXPECT_FALSE(store->register_device(key_of("new"), "", kNoon).has_value());
  EXPECT_EQ(store->forget_devices(key_of("new"), nobody)->size(), portal::kForgottenMax);
  EXPECT_EQ(store->forget_devices(key_of("new"), nobody)->size(), 2u);
  EXPECT_TRUE(store->register_device(key_of("new"), "", kNoon).has_value());
}

TEST_F(SqliteStoreTest, AFullTableTakesFromWhoHasTheMost) {
  const auto store = open();
  const auto own = store->register_device(key_of("own", DeviceKind::client, 3), "", kNoon - 7200);
  ASSERT_TRUE(store->register_device(key_of("first"), "", kNoon).has_value());
  EXPECT_TRUE(store->commit());
  add_devices(path_, portal::kDevicesMax - 2, "first");
  const DeviceKey next = key_of("next", DeviceKind::client, 3);
  const auto full = store->register_device(next, "", kNoon);
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error(), portal::StoreError::full);
  const auto gone = store->forget_devices(next, [](const Uuid&) { return false; });
  ASSERT_TRUE(gone.has_value());
  EXPECT_EQ(std::ranges::find(*gone, own->id), gone->end());
  EXPECT_TRUE(store->register_device(next, "", kNoon).has_value());
}

TEST_F(SqliteStoreTest, WhereAllOfTheLargestAreSparedTheNextOnesGo) {
  const auto store = open();
  const auto own = store->register_device(key_of("own", DeviceKind::client, 3), "", kNoon);
  const auto other = store->register_device(key_of("other", DeviceKind::client, 4), "", kNoon - 7200);
  ASSERT_TRUE(store->register_device(key_of("other too", DeviceKind::client, 4), "", kNoon).has_value());
  ASSERT_TRUE(store->register_device(key_of("first"), "", kNoon).has_value());
  EXPECT_TRUE(store->commit());
  add_devices(path_, portal::kDevicesMax - 4, "first");
  const DeviceKey next = key_of("next", DeviceKind::client, 3);
  ASSERT_FALSE(store->register_device(next, "", kNoon).has_value());
  const auto few = [&](const Uuid& id) { return id != own->id && id != other->id; };
  EXPECT_EQ(store->forget_devices(next, few), std::vector{other->id});
  const auto one = [&](const Uuid& id) { return id != own->id; };
  EXPECT_EQ(store->forget_devices(next, one), std::vector{own->id});
}

// The same random bytes each time: every address it draws is taken.
class StuckRandom final : public crypto::Random {
 public:
  void fill(Bytes bytes) noexcept override {
    for (std::byte& byte : bytes) byte = std::byte{0x01};
    if (bytes.size() >= 16) bytes[0] = static_cast<std::byte>(++count_);
  }

 private:
  std::uint8_t count_ = 0;
};

TEST_F(SqliteStoreTest, ATakenAddressIsNotGivenAgain) {
  StuckRandom stuck;
  const auto store = SqliteStore::open(path_, stuck);
  ASSERT_TRUE(store.has_value());
  const auto a = (*store)->register_device(key_of("a"), "", kNoon);
  const auto b = (*store)->register_device(key_of("b"), "", kNoon);
  ASSERT_TRUE(a.has_value());
  ASSERT_TRUE(b.has_value());
  EXPECT_EQ(*portal::pool_offset(b->ipv4), *portal::pool_offset(a->ipv4) + 1);
  EXPECT_EQ(*portal::pool_offset(b->ipv6), *portal::pool_offset(a->ipv6) + 1);
}

TEST_F(SqliteStoreTest, ATokenIsFoundByItsHashAndItsTextIsNotInTheFile) {
  std::string text;
  {
    const auto store = open();
    const auto made = store->create_token(TokenKind::gateway, id_of(5), "lab", kNoon, kNoon + 60);
    ASSERT_TRUE(made.has_value());
    text = made->text;
    const auto found = store->find_token(portal::token_hash(text));
    ASSERT_TRUE(found.has_value() && found->has_value());
    EXPECT_EQ((*found)->id, made->token.id);
    EXPECT_EQ((*found)->kind, TokenKind::gateway);
    EXPECT_EQ((*found)->owner, id_of(5));
    EXPECT_EQ((*found)->owner_name, "lab");
    EXPECT_EQ((*found)->expires, kNoon + 60);
    EXPECT_FALSE((*found)->last_used.has_value());
    EXPECT_TRUE((*store->token(made->token.id)).has_value());
    EXPECT_FALSE((*store->find_token(portal::token_hash("flg_other"))).has_value());
  }
  std::ifstream file(path_, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_EQ(bytes.find(text.substr(4)), std::string::npos);
}

TEST_F(SqliteStoreTest, TokensAreListedUsedAndRevokedOnce) {
  const auto store = open();
  const auto a = store->create_token(TokenKind::client, id_of(5), "alice", kNoon, std::nullopt);
  const auto b = store->create_token(TokenKind::relay, {}, "", kNoon, std::nullopt);
  ASSERT_TRUE(a.has_value());
  ASSERT_TRUE(b.has_value());
  ASSERT_TRUE(store->token_used(a->token.id, kNoon + 119).has_value());
  EXPECT_EQ(store->revoke_token(b->token.id, kNoon + 1), true);
  EXPECT_EQ(store->revoke_token(b->token.id, kNoon + 2), false);
  EXPECT_EQ(store->revoke_token(id_of(77), kNoon), false);
  const auto tokens = store->tokens();
  ASSERT_TRUE(tokens.has_value());
  ASSERT_EQ(tokens->size(), 2U);
  EXPECT_EQ((*tokens)[0].last_used, kNoon + 60) << "to the minute";
  EXPECT_TRUE((*tokens)[0].valid(kNoon));
  EXPECT_EQ((*tokens)[1].revoked, kNoon + 1);
}

TEST_F(SqliteStoreTest, TokensThatEndedLongAgoAreDeletedWhenOneIsMade) {
  constexpr portal::Timestamp kMonth = 30 * 86'400;
  const auto store = open();
  const auto make = [&](portal::Timestamp now, std::optional<portal::Timestamp> expires) {
    const auto made = store->create_token(TokenKind::client, id_of(5), "alice", now, expires);
    EXPECT_TRUE(made.has_value());
    return made->token.id;
  };
  const Uuid expired = make(kNoon, kNoon + 60);
  const Uuid revoked = make(kNoon, std::nullopt);
  const Uuid lasting = make(kNoon, std::nullopt);
  EXPECT_EQ(store->revoke_token(revoked, kNoon + 60), true);
  const Uuid later = make(kNoon + 59 + kMonth, std::nullopt);
  EXPECT_EQ(store->tokens()->size(), 4U);
  const Uuid last = make(kNoon + 60 + kMonth, std::nullopt);
  const auto tokens = store->tokens();
  ASSERT_TRUE(tokens.has_value());
  std::vector<Uuid> left;
  for (const portal::Token& token : *tokens) left.push_back(token.id);
  EXPECT_EQ(left, (std::vector<Uuid>{lasting, later, last}));
  EXPECT_FALSE((*store->token(expired)).has_value());
}

TEST_F(SqliteStoreTest, ItSeesThatSomebodyElseWrote) {
  const auto portal = open();
  const auto command = open();
  const auto made = command->create_token(TokenKind::client, id_of(5), "alice", kNoon, std::nullopt);
  ASSERT_TRUE(made.has_value());
  EXPECT_TRUE(portal->changed_elsewhere());
  EXPECT_FALSE(portal->changed_elsewhere());
  ASSERT_TRUE(portal->token_used(made->token.id, kNoon).has_value());
  EXPECT_TRUE(portal->commit());
  EXPECT_FALSE(portal->changed_elsewhere()) << "its own writing";
  EXPECT_EQ(command->revoke_token(made->token.id, kNoon), true);
  EXPECT_TRUE(portal->changed_elsewhere());
}

TEST_F(SqliteStoreTest, NobodyElseMayReadTheFiles) {
  const auto store = open();
  ASSERT_TRUE(store->register_device(key_of("a"), "", kNoon).has_value());
  EXPECT_TRUE(store->commit());
  for (const char* end : {"", "-wal", "-shm"}) {
    struct stat status{};
    ASSERT_EQ(::stat((path_ + end).c_str(), &status), 0) << end;
    EXPECT_EQ(status.st_mode & 07777U, 0600U) << end;
  }
}

TEST_F(SqliteStoreTest, WhatCannotBeUsedIsSaidInASentence) {
  std::ofstream(path_) << std::string(4096, 'x');
  const auto garbage = SqliteStore::open(path_, random_);
  ASSERT_FALSE(garbage.has_value());
  EXPECT_NE(garbage.error().find("cannot use"), std::string::npos) << garbage.error();
  const auto missing = SqliteStore::open(directory_.path() + "/none/portal.db", random_);
  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().find("No such file"), std::string::npos) << missing.error();
}

// As systemd's DynamicUser= makes it of a StateDirectory=.
TEST_F(SqliteStoreTest, TheFolderMayBeALinkTheFileMayNot) {
  std::filesystem::create_directory(directory_.path() + "/private");
  std::filesystem::create_directory_symlink("private", directory_.path() + "/state");
  const std::string path = directory_.path() + "/state/portal.db";
  const auto store = SqliteStore::open(path, random_);
  EXPECT_TRUE(store.has_value()) << store.error();
  const auto grants = GrantFile::open(path + "-grants");
  EXPECT_TRUE(grants.has_value()) << grants.error();
  for (const char* end : {"", "-grants"}) {
    EXPECT_TRUE(std::filesystem::is_regular_file(directory_.path() + "/private/portal.db" + end)) << end;
  }

  std::filesystem::create_symlink(path_, directory_.path() + "/link");
  EXPECT_FALSE(SqliteStore::open(directory_.path() + "/link", random_).has_value());
  EXPECT_FALSE(GrantFile::open(directory_.path() + "/link").has_value());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

// A process that says each device it was given, and is killed in the middle: all that it said is there.
TEST_F(SqliteStoreTest, AKilledProcessLosesNothingThatItSaid) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    crypto::SeededRandom random(2);
    auto store = SqliteStore::open(path_, random);
    // Three in one commit, as logins of one turn are.
    std::vector<Uuid> turn;
    for (int i = 0; store && i < 100'000; ++i) {
      const auto device = (*store)->register_device(key_of(std::to_string(i)), "", kNoon);
      if (!device) break;
      turn.push_back(device->id);
      if (turn.size() < 3) continue;
      if (!(*store)->commit()) break;
      for (const Uuid& id : std::exchange(turn, {})) {
        if (::write(pipe[1], id.bytes.data(), 16) != 16) ::_exit(2);
      }
    }
    ::_exit(1);
  }
  ::close(pipe[1]);
  constexpr int kBeforeTheKill = 40;
  std::vector<Uuid> said;
  Uuid id;
  while (::read(pipe[0], id.bytes.data(), 16) == 16) {
    said.push_back(id);
    if (said.size() == kBeforeTheKill) ::kill(child, SIGKILL);
  }
  ::close(pipe[0]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  ASSERT_GE(said.size(), std::size_t{kBeforeTheKill});

  const auto store = open();
  for (std::size_t i = 0; i < said.size(); ++i) {
    const auto device = store->register_device(key_of(std::to_string(i)), "", kNoon);
    ASSERT_TRUE(device.has_value());
    EXPECT_EQ(device->id, said[i]) << i;
  }
}

}  // namespace
}  // namespace fireline::portal_tool
