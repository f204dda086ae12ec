// Grants on SQLite, in a file of their own beside the state: what gateways were told outlives the portal, so that a
// restart neither ends a tunnel nor forgets to revoke one. In WAL with synchronous=NORMAL: what was committed outlives
// the process, however it ends; a crash of the system may take the last ones, and the client then asks once more. A
// flush for each new flow would make every client wait for the disk. Lifetime: closes its file when dropped. Threads:
// the one that opened it. Errors: open() says in a sentence why; a write that fails is counted, and the grant holds in
// memory.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/portal/server/grants.h"
#include "tools/portal/group_commit.h"

struct sqlite3;

namespace fireline::portal_tool {

class GrantFile final : public portal::GrantStore {
 public:
  [[nodiscard]] static Result<std::unique_ptr<GrantFile>, std::string> open(const std::string& path);
  GrantFile(const GrantFile&) = delete;
  GrantFile& operator=(const GrantFile&) = delete;
  ~GrantFile() override;

  std::vector<std::pair<portal::GrantKey, portal::Grant>> load() override;
  void put(const portal::GrantKey& key, const portal::Grant& grant) override;
  void remove(const portal::GrantKey& key) override;
  void commit() override;
  [[nodiscard]] std::uint64_t failures() const noexcept { return failures_; }

 private:
  explicit GrantFile(sqlite3* database) noexcept : database_(database), writes_(database) {}
  sqlite3* database_;
  GroupCommit writes_;
  std::uint64_t failures_ = 0;
};

}  // namespace fireline::portal_tool
