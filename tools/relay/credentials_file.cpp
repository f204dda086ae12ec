#include "tools/relay/credentials_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/byte_order_mark.h"
#include "tools/relay/text_file.h"

namespace fireline::relay {
namespace {

Result<Credentials, std::string> read_secret(const std::string& path) {
  const auto file = read_text_file("the stamp secret", path, kSecretBytesMax, FileAccess::owner_alone);
  if (!file) return err(file.error());
  std::string_view secret = without_byte_order_mark(file->text);
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
  const auto file = read_text_file("the users of", options.users_file, kUsersFileBytesMax, FileAccess::any);
  if (!file) return err(file.error());
  auto users = StaticCredentials::parse(options.realm, file->text);
  if (!users) return err(fmt::format("{}: {}", options.users_file, users.error()));
  if (users->size() == 0) return err(fmt::format("{} names no user: add a line user:password", options.users_file));
  return Credentials(std::move(*users));
}

}  // namespace fireline::relay
