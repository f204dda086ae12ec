// One SQL statement: values go in by their order, columns come out by theirs; after the first failure it does nothing
// more, so that one look at failed() is enough. Lifetime: within the database's. Threads: one.
#pragma once
#include <sqlite3.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/uuid.h"
#include "core/base/wire.h"

namespace fireline::portal_tool {

class Statement {
 public:
  Statement(sqlite3* database, const char* sql) {
    failed_ = sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr) != SQLITE_OK;
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  Statement& bind(std::int64_t value) {
    return note(failed_ ? SQLITE_OK : sqlite3_bind_int64(statement_, next_++, value));
  }
  Statement& bind(std::optional<std::int64_t> value) {
    if (value) return bind(*value);
    return note(failed_ ? SQLITE_OK : sqlite3_bind_null(statement_, next_++));
  }
  // Text and blobs have to live until the last step().
  Statement& bind(std::string_view text) {
    return note(failed_
                    ? SQLITE_OK
                    : sqlite3_bind_text64(statement_, next_++, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8));
  }
  Statement& bind(ConstBytes blob) {
    return note(failed_ ? SQLITE_OK
                        : sqlite3_bind_blob64(statement_, next_++, blob.data(), blob.size(), SQLITE_STATIC));
  }
  Statement& bind(const Uuid& id) { return bind(std::as_bytes(std::span(id.bytes))); }

  // True: there is a row. False: the end, or failed().
  bool step() {
    if (failed_) return false;
    const int result = sqlite3_step(statement_);
    failed_ = result != SQLITE_ROW && result != SQLITE_DONE;
    return result == SQLITE_ROW;
  }
  // Runs a statement without rows; whether it worked.
  bool run() {
    step();
    return !failed_;
  }
  [[nodiscard]] bool failed() const noexcept { return failed_; }

  [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  [[nodiscard]] std::optional<std::int64_t> optional_integer(int column) const {
    if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
    return integer(column);
  }
  [[nodiscard]] std::string text(int column) const {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return bytes == nullptr ? std::string() : std::string(bytes, size);
  }
  // A blob of another size is a damaged row: failed().
  void blob(int column, Bytes into) {
    const void* bytes = sqlite3_column_blob(statement_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    if (bytes == nullptr || size != into.size()) {
      failed_ = true;
      return;
    }
    std::memcpy(into.data(), bytes, size);
  }
  [[nodiscard]] Uuid id(int column) {
    Uuid id;
    blob(column, std::as_writable_bytes(std::span(id.bytes)));
    return id;
  }

 private:
  Statement& note(int result) {
    if (result != SQLITE_OK) failed_ = true;
    return *this;
  }

  sqlite3_stmt* statement_ = nullptr;
  int next_ = 1;
  bool failed_ = false;
};

// Everything until commit() or nothing. Takes the file's write lock at once.
class Transaction {
 public:
  explicit Transaction(sqlite3* database) : database_(database) {
    open_ = sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK;
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (open_) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  [[nodiscard]] bool open() const noexcept { return open_; }
  [[nodiscard]] bool commit() {
    if (sqlite3_exec(database_, "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK) return false;
    open_ = false;
    return true;
  }

 private:
  sqlite3* database_;
  bool open_ = false;
};

}  // namespace fireline::portal_tool
