#include "tools/relay/text_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium/utils.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "io/file_descriptor.h"

namespace fireline::relay {
namespace {

// One of the copies that systemd makes for a unit. It minds who may read them, by lists that show as bits of the group.
bool is_credential(const std::string& path) {
  const char* const directory = std::getenv("CREDENTIALS_DIRECTORY");
  return directory != nullptr && *directory != '\0' && path.starts_with(std::string(directory) + '/');
}

}  // namespace

FileText::~FileText() {
  sodium_memzero(text.data(), text.size());
}

Result<FileText, std::string> read_text_file(const char* what, const std::string& path, std::size_t bytes_max,
                                             FileAccess access) {
  const auto fail = [&](std::string_view why) { return err(fmt::format("cannot read {} {}: {}", what, path, why)); };
  const io::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(std::strerror(errno));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail(std::strerror(errno));
  constexpr mode_t kOthers = 0077;
  if (access == FileAccess::owner_alone && (status.st_mode & kOthers) != 0 && !is_credential(path)) {
    return fail("others may read it: use chmod 600");
  }
  FileText result;
  // One byte more than allowed, never reallocated, so that no copy stays behind.
  result.text.resize(bytes_max + 1);
  std::size_t used = 0;
  while (used < result.text.size()) {
    const ssize_t bytes = ::read(file.get(), result.text.data() + used, result.text.size() - used);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return fail(std::strerror(errno));
    if (bytes == 0) break;
    used += static_cast<std::size_t>(bytes);
  }
  if (used > bytes_max) return fail(fmt::format("it has more than {} bytes", bytes_max));
  result.text.resize(used);
  return result;
}

}  // namespace fireline::relay
