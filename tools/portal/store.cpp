#include "tools/portal/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/portal/address_pool.h"
#include "tools/portal/statement.h"

namespace fireline::portal_tool {
namespace {

using portal::Device;
using portal::StoreError;
using portal::Timestamp;
using portal::Token;

constexpr mode_t kFileMode = 0600;       // it holds key bases
constexpr int kBusyMilliseconds = 1000;  // a token subcommand writes for some milliseconds
constexpr std::int64_t kSchemaVersion = 1;
constexpr Timestamp kHour = 3600;
constexpr Timestamp kMinute = 60;
constexpr Timestamp kEndedTokenKept =
    30 * 24 * kHour;  // for the list; a clock that is wrong for a day ends none for good

constexpr const char* kSchema = R"(
CREATE TABLE device (
  id BLOB PRIMARY KEY, account BLOB NOT NULL, kind INTEGER NOT NULL, owner BLOB NOT NULL, external_id TEXT NOT NULL,
  name TEXT NOT NULL, ipv4 INTEGER NOT NULL, ipv6 INTEGER NOT NULL, psk_base BLOB NOT NULL, created INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  UNIQUE (account, kind, owner, external_id), UNIQUE (account, ipv4), UNIQUE (account, ipv6)) STRICT;
CREATE TABLE token (
  number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, hash BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL,
  owner BLOB NOT NULL, owner_name TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER, last_used INTEGER,
  revoked INTEGER) STRICT;
PRAGMA user_version = 1;
)";
// Alike in their columns, as read_token() takes them.
constexpr const char* kTokenByHash =
    "SELECT id, kind, owner, owner_name, created, expires, last_used, revoked FROM token WHERE hash = ?";
constexpr const char* kTokenById =
    "SELECT id, kind, owner, owner_name, created, expires, last_used, revoked FROM token WHERE id = ?";
constexpr const char* kAllTokens =
    "SELECT id, kind, owner, owner_name, created, expires, last_used, revoked FROM token ORDER BY number";

bool run(sqlite3* database, const char* sql) {
  return sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK;
}

// SQLite gives its files beside this one the same mode.
bool prepare_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kFileMode);
  if (file < 0) return false;
  const bool done = ::fchmod(file, kFileMode) == 0;
  ::close(file);
  return done;
}

std::string prepare_database(sqlite3* database) {
  sqlite3_busy_timeout(database, kBusyMilliseconds);
  if (!run(database, "PRAGMA journal_mode = WAL") || !run(database, "PRAGMA synchronous = FULL")) {
    return sqlite3_errmsg(database);
  }
  Transaction transaction(database);
  if (!transaction.open()) return sqlite3_errmsg(database);
  Statement version(database, "PRAGMA user_version");
  if (!version.step()) return sqlite3_errmsg(database);
  const std::int64_t found = version.integer(0);
  if (found > kSchemaVersion) return "it was written by a newer version of this program";
  if (found == 0 && !run(database, kSchema)) return sqlite3_errmsg(database);
  while (version.step()) {
  }
  return transaction.commit() ? "" : sqlite3_errmsg(database);
}

Uuid random_id(crypto::Random& random) {
  std::array<std::uint8_t, 16> bytes{};
  random.fill(std::as_writable_bytes(std::span(bytes)));
  return Uuid::version4(bytes);
}

std::optional<Token> read_token(Statement& row) {
  if (!row.step()) return std::nullopt;
  Token token;
  token.id = row.id(0);
  token.kind = static_cast<portal::TokenKind>(row.integer(1));
  token.owner = row.id(2);
  token.owner_name = row.text(3);
  token.created = row.integer(4);
  token.expires = row.optional_integer(5);
  token.last_used = row.optional_integer(6);
  token.revoked = row.optional_integer(7);
  return row.failed() ? std::nullopt : std::optional(token);
}

Result<std::optional<Token>, StoreError> one_token(Statement& row) {
  auto token = read_token(row);
  if (row.failed()) return err(StoreError::unavailable);
  return token;
}

}  // namespace

void make_folder_of(const std::string& path) {
  std::error_code ignored;
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
}

std::string with_real_folder(const std::string& path) {
  std::error_code missing;
  const auto absolute = std::filesystem::absolute(path, missing);
  const auto folder = std::filesystem::canonical(absolute.parent_path(), missing);
  return missing ? path : (folder / absolute.filename()).string();
}

Result<std::unique_ptr<SqliteStore>, std::string> SqliteStore::open(const std::string& path, crypto::Random& random) {
  if (!prepare_file(path)) return err("cannot open " + path + ": " + std::strerror(errno));
  sqlite3* database = nullptr;
  const int opened =
      sqlite3_open_v2(with_real_folder(path).c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, nullptr);
  std::unique_ptr<SqliteStore> store(new SqliteStore(database, random));
  if (opened != SQLITE_OK) return err("cannot open " + path + ": " + sqlite3_errstr(opened));
  const std::string wrong = prepare_database(database);
  if (!wrong.empty()) return err("cannot use " + path + ": " + wrong);
  store->seen_version_ = store->data_version();
  return store;
}

SqliteStore::~SqliteStore() {
  sqlite3_close(database_);
}

Result<Device, StoreError> SqliteStore::register_device(const portal::DeviceKey& key, std::string_view name,
                                                        Timestamp now) {
  bool failed = false;
  auto device = find_device(key, failed);
  if (failed) return err(StoreError::unavailable);
  if (!device) {
    if (!writes_.begin()) return err(StoreError::unavailable);
    return make_device(key, name, now);
  }
  const Timestamp hour = now - now % kHour;
  const bool renamed = key.kind == portal::DeviceKind::gateway && device->name != name;
  if (device->last_seen == hour && !renamed) return *device;  // nothing to wait for the disk for
  device->last_seen = hour;
  if (renamed) device->name = name;
  if (!writes_.begin()) return err(StoreError::unavailable);
  Statement update(database_, "UPDATE device SET name = ?, last_seen = ? WHERE id = ?");
  update.bind(std::string_view(device->name)).bind(hour).bind(device->id);
  if (!update.run()) return err(StoreError::unavailable);
  return *device;
}

std::optional<Device> SqliteStore::find_device(const portal::DeviceKey& key, bool& failed) {
  Statement row(database_,
                "SELECT id, name, ipv4, ipv6, psk_base, created, last_seen FROM device "
                "WHERE account = ? AND kind = ? AND owner = ? AND external_id = ?");
  row.bind(key.account)
      .bind(static_cast<std::int64_t>(key.kind))
      .bind(key.owner)
      .bind(std::string_view(key.external_id));
  std::optional<Device> device;
  if (row.step()) {
    device.emplace();
    device->id = row.id(0);
    device->key = key;
    device->name = row.text(1);
    device->ipv4 = portal::pool_address(Family::v4, static_cast<std::uint32_t>(row.integer(2)));
    device->ipv6 = portal::pool_address(Family::v6, static_cast<std::uint32_t>(row.integer(3)));
    row.blob(4, device->psk_base.mutable_bytes());
    device->created = row.integer(5);
    device->last_seen = row.integer(6);
  }
  failed = row.failed();
  return device;
}

Result<Device, StoreError> SqliteStore::make_device(const portal::DeviceKey& key, std::string_view name,
                                                    Timestamp now) {
  const auto devices = count("SELECT count(*) FROM device");
  if (!devices) return err(StoreError::unavailable);
  if (*devices >= static_cast<std::int64_t>(portal::kDevicesMax)) return err(StoreError::full);
  Statement own(database_, "SELECT count(*) FROM device WHERE account = ? AND kind = ? AND owner = ?");
  own.bind(key.account).bind(static_cast<std::int64_t>(key.kind)).bind(key.owner);
  if (!own.step()) return err(StoreError::unavailable);
  if (own.integer(0) >= static_cast<std::int64_t>(portal::kDevicesOwnerMax)) return err(StoreError::full);
  const auto free = [&](const char* sql) {
    return portal::free_offset(portal::random_offset(random_), [&](std::uint32_t offset) {
      Statement taken(database_, sql);
      return taken.bind(key.account).bind(std::int64_t{offset}).step();
    });
  };
  const auto ipv4 = free("SELECT 1 FROM device WHERE account = ? AND ipv4 = ?");
  const auto ipv6 = free("SELECT 1 FROM device WHERE account = ? AND ipv6 = ?");
  if (!ipv4 || !ipv6) return err(StoreError::full);

  Device device;
  device.id = random_id(random_);
  device.key = key;
  device.name = name;
  device.ipv4 = portal::pool_address(Family::v4, *ipv4);
  device.ipv6 = portal::pool_address(Family::v6, *ipv6);
  random_.fill(device.psk_base.mutable_bytes());
  device.created = now;
  device.last_seen = now - now % kHour;
  Statement insert(database_, "INSERT INTO device VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(device.id).bind(key.account).bind(static_cast<std::int64_t>(key.kind)).bind(key.owner);
  insert.bind(std::string_view(key.external_id)).bind(name).bind(std::int64_t{*ipv4}).bind(std::int64_t{*ipv6});
  insert.bind(ConstBytes(device.psk_base.bytes())).bind(device.created).bind(device.last_seen);
  if (!insert.run()) return err(StoreError::unavailable);
  return device;
}

Result<void, StoreError> SqliteStore::device_seen(const Uuid& id, Timestamp now) {
  if (!writes_.begin()) return err(StoreError::unavailable);
  Statement update(database_, "UPDATE device SET last_seen = ? WHERE id = ?");
  if (!update.bind(now - now % kHour).bind(id).run()) return err(StoreError::unavailable);
  return {};
}

namespace {

struct Owner {
  Uuid account;
  std::int64_t kind;
  Uuid id;
  std::size_t devices;
};

// Whose devices may make room for one more of `own`: its own at its share, else those of the owners with the most
// first, its own in the end. Empty: the store failed.
std::vector<Owner> owners_to_ask(sqlite3* database, const portal::DeviceKey& like) {
  constexpr std::size_t kOwnersMax = 16;
  Owner own{like.account, static_cast<std::int64_t>(like.kind), like.owner, 0};
  Statement count(database, "SELECT count(*) FROM device WHERE account = ? AND kind = ? AND owner = ?");
  count.bind(own.account).bind(own.kind).bind(own.id);
  if (!count.step()) return {};
  own.devices = static_cast<std::size_t>(count.integer(0));
  if (own.devices >= portal::kDevicesOwnerMax) return {own};
  std::vector<Owner> owners;
  Statement most(database,
                 "SELECT account, kind, owner, count(*) FROM device GROUP BY account, kind, owner "
                 "ORDER BY count(*) DESC");
  while (owners.size() < kOwnersMax && most.step()) {
    owners.push_back({most.id(0), most.integer(1), most.id(2), static_cast<std::size_t>(most.integer(3))});
  }
  if (most.failed()) return {};
  owners.push_back(own);
  return owners;
}

}  // namespace

Result<std::vector<Uuid>, StoreError> SqliteStore::forget_devices(const portal::DeviceKey& like,
                                                                  const std::function<bool(const Uuid&)>& spared) {
  const auto owners = owners_to_ask(database_, like);
  if (owners.empty()) return err(StoreError::unavailable);
  std::vector<Uuid> gone;
  for (const Owner& of : owners) {
    const std::size_t too_many = of.devices < portal::kDevicesOwnerMax ? 1 : of.devices - portal::kDevicesOwnerMax + 1;
    const std::size_t wanted = std::min(too_many, portal::kForgottenMax);
    Statement row(database_,
                  "SELECT id FROM device WHERE account = ? AND kind = ? AND owner = ? ORDER BY last_seen, created, id");
    row.bind(of.account).bind(of.kind).bind(of.id);
    while (gone.size() < wanted && row.step()) {
      if (const Uuid id = row.id(0); !row.failed() && !spared(id)) gone.push_back(id);
    }
    if (row.failed()) return err(StoreError::unavailable);
    if (!gone.empty()) break;
  }
  if (gone.empty()) return err(StoreError::full);
  if (!writes_.begin()) return err(StoreError::unavailable);
  for (const Uuid& id : gone) {
    Statement remove(database_, "DELETE FROM device WHERE id = ?");
    if (!remove.bind(id).run()) return err(StoreError::unavailable);
  }
  return gone;
}

Result<std::optional<Token>, StoreError> SqliteStore::find_token(const portal::TokenHash& hash) {
  Statement row(database_, kTokenByHash);
  row.bind(ConstBytes(hash));
  return one_token(row);
}

Result<std::optional<Token>, StoreError> SqliteStore::token(const Uuid& id) {
  Statement row(database_, kTokenById);
  row.bind(id);
  return one_token(row);
}

Result<void, StoreError> SqliteStore::token_used(const Uuid& id, Timestamp now) {
  const Timestamp minute = now - now % kMinute;
  if (!writes_.begin()) return err(StoreError::unavailable);
  Statement update(database_, "UPDATE token SET last_used = ? WHERE id = ? AND last_used IS NOT ?");
  if (!update.bind(minute).bind(id).bind(minute).run()) return err(StoreError::unavailable);
  return {};
}

bool SqliteStore::changed_elsewhere() {
  const std::int64_t version = data_version();
  const bool changed = version != seen_version_;
  seen_version_ = version;
  return changed;
}

Result<NewToken, StoreError> SqliteStore::create_token(portal::TokenKind kind, const Uuid& owner,
                                                       std::string_view owner_name, Timestamp now,
                                                       std::optional<Timestamp> expires) {
  Transaction transaction(database_);
  if (!transaction.open()) return err(StoreError::unavailable);
  Statement ended(database_, "DELETE FROM token WHERE revoked <= ? OR expires <= ?");
  if (!ended.bind(now - kEndedTokenKept).bind(now - kEndedTokenKept).run()) return err(StoreError::unavailable);
  const auto tokens = count("SELECT count(*) FROM token");
  if (!tokens) return err(StoreError::unavailable);
  if (*tokens >= static_cast<std::int64_t>(portal::kTokensMax)) return err(StoreError::full);
  NewToken made;
  made.text = portal::make_token(kind, random_);
  made.token.id = random_id(random_);
  made.token.kind = kind;
  made.token.owner = owner;
  made.token.owner_name = owner_name;
  made.token.created = now;
  made.token.expires = expires;
  const portal::TokenHash hash = portal::token_hash(made.text);
  Statement insert(
      database_,
      "INSERT INTO token (id, hash, kind, owner, owner_name, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)");
  insert.bind(made.token.id).bind(ConstBytes(hash)).bind(static_cast<std::int64_t>(kind)).bind(owner);
  insert.bind(owner_name).bind(now).bind(expires);
  if (!insert.run() || !transaction.commit()) return err(StoreError::unavailable);
  return made;
}

Result<std::vector<Token>, StoreError> SqliteStore::tokens() {
  Statement rows(database_, kAllTokens);
  std::vector<Token> tokens;
  while (auto token = read_token(rows)) tokens.push_back(std::move(*token));
  if (rows.failed()) return err(StoreError::unavailable);
  return tokens;
}

Result<bool, StoreError> SqliteStore::revoke_token(const Uuid& id, Timestamp now) {
  Statement update(database_, "UPDATE token SET revoked = ? WHERE id = ? AND revoked IS NULL");
  if (!update.bind(now).bind(id).run()) return err(StoreError::unavailable);
  return sqlite3_changes(database_) > 0;
}

std::optional<std::int64_t> SqliteStore::count(const char* sql) {
  Statement row(database_, sql);
  return row.step() ? std::optional(row.integer(0)) : std::nullopt;
}

std::int64_t SqliteStore::data_version() {
  Statement row(database_, "PRAGMA data_version");
  return row.step() ? row.integer(0) : seen_version_;
}

}  // namespace fireline::portal_tool
