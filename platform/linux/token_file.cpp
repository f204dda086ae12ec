#include "platform/linux/token_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <simdjson.h>

#include "core/base/byte_order_mark.h"

namespace fireline::platform {

using crypto::SecretText;

namespace {

constexpr mode_t kForbidden = 0177;  // leaves 0400, 0600 and 0200

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// The size is fixed before the secret is read: growing would leave a copy behind.
struct Wiped {
  std::string bytes = std::string(kTokenBytesMax + 1, '\0');
  ~Wiped() { ::explicit_bzero(bytes.data(), bytes.size()); }
};

Result<SecretText, HostError> read_token(int fd, const std::string& path) {
  Wiped buffer;
  std::size_t count = 0;
  while (count < buffer.bytes.size()) {
    const ssize_t got = ::read(fd, buffer.bytes.data() + count, buffer.bytes.size() - count);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return err(host_error(errno, "read the token file " + path));
    if (got == 0) break;
    count += static_cast<std::size_t>(got);
  }
  if (count > kTokenBytesMax) return err(HostError{EFBIG, "the file " + path + " is too long for a token"});
  const std::string_view token = trim(without_byte_order_mark(std::string_view(buffer.bytes).substr(0, count)));
  if (token.empty()) return err(HostError{0, "the token file " + path + " is empty"});
  if (!simdjson::validate_utf8(token)) return err(HostError{0, "the token file " + path + " is not UTF-8 text"});
  return SecretText(token);
}

}  // namespace

std::optional<SecretText> take_environment_token(const char* variable) {
  char* value = std::getenv(variable);
  if (value == nullptr) return std::nullopt;
  SecretText token(value);
  ::explicit_bzero(value, token.view().size());  // /proc/PID/environ shows this very memory
  ::unsetenv(variable);
  if (token.empty()) return std::nullopt;
  return token;
}

Result<SecretText, HostError> token_or_its_file(const SecretText& word) {
  const std::string_view text = trim(word.view());
  if (!text.starts_with('/')) return SecretText(text);
  const std::string path(text.substr(0, PATH_MAX));
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) return SecretText(text);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return err(host_error(errno, "read the token file " + path));
  auto token = read_token(fd, path);
  ::close(fd);
  return token;
}

Result<std::optional<SecretText>, HostError> read_token_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::optional<SecretText>();
  struct stat about{};
  const auto close = [&] { ::close(fd); };
  if (::fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
    close();
    return err(HostError{0, "the token file " + path + " is no ordinary file"});
  }
  if (about.st_uid != 0 || about.st_gid != 0) {
    close();
    return err(HostError{0, "the token file " + path + " must belong to root: run `chown root:root " + path + "`"});
  }
  if ((about.st_mode & kForbidden) != 0) {
    close();
    return err(HostError{0, "the token file " + path + " must have mode 0400 or 0600: run `chmod 600 " + path + "`"});
  }
  auto token = read_token(fd, path);
  close();
  if (!token) return err(std::move(token.error()));
  return std::optional<SecretText>(*token);
}

Result<SecretText, HostError> read_credential(const std::string& name) {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr || *directory == '\0') {
    return err(HostError{ENOENT, "there is no token: `CREDENTIALS_DIRECTORY` not provided and no FIREZONE_TOKEN"});
  }
  const std::string path = std::string(directory) + "/" + name;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return err(host_error(errno, "read the credential " + path));
  auto token = read_token(fd, path);
  ::close(fd);
  return token;
}

}  // namespace fireline::platform
