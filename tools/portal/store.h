// The portal's memory on SQLite: one file, mode 0600, in WAL with synchronous=FULL: what was committed is on the disk.
// Devices and the use of tokens are committed together by commit(), tokens at once. Token subcommands may have the same
// file open at the same time.
// Lifetime: closes its file when dropped. Threads: the one that opened it. Errors: portal::StoreError for what is
// temporary; open() says in a sentence why a file cannot be used. Limits: core/portal/store.h.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/crypto/random.h"
#include "core/portal/store.h"
#include "tools/portal/group_commit.h"

struct sqlite3;

namespace fireline::portal_tool {

// The folder that a state file is to be in, where it is missing; open() says what is wrong with it.
void make_folder_of(const std::string& path);
// The same file, with links in the way to its folder followed: systemd's state folders are links, and SQLite's NOFOLLOW
// refuses one anywhere in a path. The file itself may be none.
[[nodiscard]] std::string with_real_folder(const std::string& path);

struct NewToken {
  portal::Token token;
  std::string text;  // to be shown once, then wiped
};

class SqliteStore final : public portal::Store {
 public:
  // Makes file and tables when they are missing.
  [[nodiscard]] static Result<std::unique_ptr<SqliteStore>, std::string> open(const std::string& path,
                                                                              crypto::Random& random);
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;
  ~SqliteStore() override;

  Result<portal::Device, portal::StoreError> register_device(const portal::DeviceKey& key, std::string_view name,
                                                             portal::Timestamp now) override;
  Result<void, portal::StoreError> device_seen(const Uuid& id, portal::Timestamp now) override;
  Result<std::vector<Uuid>, portal::StoreError> forget_devices(const portal::DeviceKey& like,
                                                               const std::function<bool(const Uuid&)>& spared) override;
  Result<std::optional<portal::Token>, portal::StoreError> find_token(const portal::TokenHash& hash) override;
  Result<std::optional<portal::Token>, portal::StoreError> token(const Uuid& id) override;
  Result<void, portal::StoreError> token_used(const Uuid& id, portal::Timestamp now) override;
  bool commit() override { return writes_.commit(); }
  bool changed_elsewhere() override;

  // Deletes those that were revoked or expired 30 days ago.
  [[nodiscard]] Result<NewToken, portal::StoreError> create_token(portal::TokenKind kind, const Uuid& owner,
                                                                  std::string_view owner_name, portal::Timestamp now,
                                                                  std::optional<portal::Timestamp> expires);
  // In the order of their creation.
  [[nodiscard]] Result<std::vector<portal::Token>, portal::StoreError> tokens();
  // False: there is no such token, or it was revoked before.
  [[nodiscard]] Result<bool, portal::StoreError> revoke_token(const Uuid& id, portal::Timestamp now);

 private:
  SqliteStore(sqlite3* database, crypto::Random& random) : database_(database), writes_(database), random_(random) {}
  [[nodiscard]] std::optional<portal::Device> find_device(const portal::DeviceKey& key, bool& failed);
  [[nodiscard]] Result<portal::Device, portal::StoreError> make_device(const portal::DeviceKey& key,
                                                                       std::string_view name, portal::Timestamp now);
  [[nodiscard]] std::optional<std::int64_t> count(const char* sql);
  [[nodiscard]] std::int64_t data_version();

  sqlite3* database_;
  GroupCommit writes_;
  crypto::Random& random_;
  std::int64_t seen_version_ = 0;
};

}  // namespace fireline::portal_tool
