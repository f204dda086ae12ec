// The policy file on the disk: reading it, and noticing that it is another one. Threads: any.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/policy/document.h"

namespace fireline::portal_tool {

// What tells one content of a path from another without reading it.
struct FileStamp {
  std::uint64_t inode = 0;
  std::int64_t size = -1;  // -1: there is no file
  std::int64_t changed_ns = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) noexcept = default;
};
[[nodiscard]] FileStamp stamp_of(const std::string& path) noexcept;

// The error has a line for each mistake, with file, line and column.
[[nodiscard]] Result<std::shared_ptr<const policy::Document>, std::string> read_policy_file(const std::string& path);

}  // namespace fireline::portal_tool
