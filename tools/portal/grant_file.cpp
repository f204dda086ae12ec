#include "tools/portal/grant_file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tools/portal/statement.h"
#include "tools/portal/store.h"

namespace fireline::portal_tool {
namespace {

constexpr mode_t kFileMode = 0600;  // who uses what is nobody else's business

constexpr const char* kSchema = R"(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS access (
  client BLOB NOT NULL, resource BLOB NOT NULL, gateway BLOB NOT NULL, actor BLOB NOT NULL, token BLOB NOT NULL,
  source TEXT NOT NULL, token_expires INTEGER, expires_at INTEGER NOT NULL, opened TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (client, resource, gateway)) STRICT;
)";

// A file of before may lack the last column.
bool complete(sqlite3* database) {
  Statement column(database, "SELECT 1 FROM pragma_table_info('access') WHERE name = 'opened'");
  if (column.step() || column.failed()) return !column.failed();
  return Statement(database, "ALTER TABLE access ADD COLUMN opened TEXT NOT NULL DEFAULT ''").run();
}

}  // namespace

Result<std::unique_ptr<GrantFile>, std::string> GrantFile::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kFileMode);
  if (file < 0) return err("cannot open " + path + ": " + std::strerror(errno));
  ::close(file);
  sqlite3* database = nullptr;
  const int opened =
      sqlite3_open_v2(with_real_folder(path).c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, nullptr);
  std::unique_ptr<GrantFile> grants(new GrantFile(database));
  if (opened != SQLITE_OK) return err("cannot open " + path + ": " + sqlite3_errstr(opened));
  if (sqlite3_exec(database, kSchema, nullptr, nullptr, nullptr) != SQLITE_OK || !complete(database)) {
    return err("cannot use " + path + ": " + sqlite3_errmsg(database));
  }
  return grants;
}

GrantFile::~GrantFile() {
  sqlite3_close(database_);
}

std::vector<std::pair<portal::GrantKey, portal::Grant>> GrantFile::load() {
  std::vector<std::pair<portal::GrantKey, portal::Grant>> all;
  Statement rows(
      database_,
      "SELECT client, resource, gateway, actor, token, source, token_expires, expires_at, opened FROM access");
  while (rows.step()) {
    portal::GrantKey key{.client = rows.id(0), .resource = rows.id(1), .gateway = rows.id(2)};
    portal::Grant grant{.actor = rows.id(3),
                        .token = rows.id(4),
                        .source = IpAddress::parse(rows.text(5)).value_or(IpAddress()),
                        .token_expires = rows.optional_integer(6),
                        .expires_at = rows.integer(7),
                        .opened = std::string(rows.text(8))};
    all.emplace_back(key, grant);
  }
  if (rows.failed()) ++failures_;
  return all;
}

void GrantFile::put(const portal::GrantKey& key, const portal::Grant& grant) {
  const std::string source = grant.source.to_string();
  Statement row(database_, "INSERT OR REPLACE INTO access VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  row.bind(key.client).bind(key.resource).bind(key.gateway).bind(grant.actor).bind(grant.token);
  row.bind(std::string_view(source)).bind(grant.token_expires).bind(grant.expires_at);
  row.bind(std::string_view(grant.opened));
  if (!writes_.begin() || !row.run()) ++failures_;
}

void GrantFile::remove(const portal::GrantKey& key) {
  Statement row(database_, "DELETE FROM access WHERE client = ? AND resource = ? AND gateway = ?");
  row.bind(key.client).bind(key.resource).bind(key.gateway);
  if (!writes_.begin() || !row.run()) ++failures_;
}

void GrantFile::commit() {
  if (!writes_.commit()) ++failures_;
}

}  // namespace fireline::portal_tool
