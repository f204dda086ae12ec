#include "tools/relay/credentials_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium/utils.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "io/file_descriptor.h"

namespace fireline::relay {
namespace {

// A file's text, erased at the end.
struct FileText {
  std::string text;
  FileText() = default;
  FileText(FileText&&) = default;
  FileText& operator=(FileText&&) = default;
  ~FileText() { sodium_memzero(text.data(), text.size()); }
};

Result<FileText, std::string> read_file(const char* what, const std::string& path, std::size_t bytes_max,
                                        bool guarded) {
  const auto fail = [&](std::string_view why) { return err(fmt::format("cannot read {} {}: {}", what, path, why)); };
  const io::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(std::strerror(errno));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail(std::strerror(errno));
  constexpr mode_t kOthers = 0077;
  if (guarded && (status.st_mode & kOthers) != 0) return fail("others may read it: use chmod 600");
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

Result<Credentials, std::string> read_secret(const std::string& path) {
  const auto file = read_file("the stamp secret", path, kSecretBytesMax, true);
  if (!file) return err(file.error());
  std::string_view secret = file->text;
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.remove_suffix(1);
  const auto visible = [](char c) { return c > ' ' && c <= '~' && c != ':'; };
  if (secret.size() < kSecretBytesMin || !std::ranges::all_of(secret, visible)) {
    return err(
        fmt::format("the stamp secret in {} is not usable: write at least {} visible characters without colon, "
                    "for example the output of openssl rand -hex 32",
                    path, kSecretBytesMin));
  }
  return Credentials(FirezoneCredentials(secret));
}

}  // namespace

Result<Credentials, std::string> read_credentials(const RelayOptions& options, crypto::Random& random) {
  if (options.auth == AuthKind::firezone) {
    if (options.secret_file.empty()) return Credentials(FirezoneCredentials::draw(random));
    return read_secret(options.secret_file);
  }
  const auto file = read_file("the users of", options.users_file, kUsersFileBytesMax, false);
  if (!file) return err(file.error());
  auto users = StaticCredentials::parse(options.realm, file->text);
  if (!users) return err(fmt::format("{}: {}", options.users_file, users.error()));
  if (users->size() == 0) return err(fmt::format("{} names no user: add a line user:password", options.users_file));
  return Credentials(std::move(*users));
}

}  // namespace fireline::relay
