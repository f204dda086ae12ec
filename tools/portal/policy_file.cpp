#include "tools/portal/policy_file.h"

#include <sys/stat.h>

#include <utility>

#include "tools/portal/policy_command.h"

namespace fireline::portal_tool {

FileStamp stamp_of(const std::string& path) noexcept {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {.inode = status.st_ino,
          .size = status.st_size,
          .changed_ns = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

Result<std::shared_ptr<const policy::Document>, std::string> read_policy_file(const std::string& path) {
  auto document = load_policy(path);
  if (document) return std::make_shared<const policy::Document>(std::move(*document));
  std::string lines;
  for (const std::string& mistake : document.error()) lines += (lines.empty() ? "" : "\n") + mistake;
  return err(std::move(lines));
}

}  // namespace fireline::portal_tool
