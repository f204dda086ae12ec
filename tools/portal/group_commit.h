// One transaction for everything that is written between two commits: a burst of logins waits for the disk once.
// Lifetime: within the database's. Threads: one. Errors: a write that SQLite rolled back with everything before it
// makes commit() say no, whatever was written afterwards.
#pragma once
#include <sqlite3.h>

namespace fireline::portal_tool {

class GroupCommit {
 public:
  explicit GroupCommit(sqlite3* database) noexcept : database_(database) {}

  // Before each write. Takes the file's write lock with the first; false: it was not to be had.
  [[nodiscard]] bool begin() {
    if (!open_) open_ = run("BEGIN IMMEDIATE");
    return open_;
  }
  [[nodiscard]] bool open() const noexcept { return open_; }
  // True: everything since the last call is in the file, or there was nothing. False: none of it is.
  [[nodiscard]] bool commit() {
    if (!open_) return true;
    open_ = false;
    if (sqlite3_get_autocommit(database_) != 0) return false;
    if (run("COMMIT")) return true;
    run("ROLLBACK");
    return false;
  }

 private:
  bool run(const char* sql) { return sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) == SQLITE_OK; }

  sqlite3* database_;
  bool open_ = false;
};

}  // namespace fireline::portal_tool
