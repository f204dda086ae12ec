#include "relay/protocol/credentials.h"

#include <array>
#include <charconv>

#include "core/base/byte_order_mark.h"
#include "core/crypto/secret.h"
#include "core/crypto/turn_password.h"

namespace fireline::relay {
namespace {

struct FirezoneName {
  std::string_view expiry;
  std::uint64_t expiry_seconds = 0;
  std::string_view salt;
};

// Only the canonical decimal: whoever derives the password formats the number anew, so that another spelling could
// never match.
std::optional<FirezoneName> split(std::string_view username) noexcept {
  const std::size_t colon = username.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  FirezoneName name{username.substr(0, colon), 0, username.substr(colon + 1)};
  if (name.salt.find(':') != std::string_view::npos) return std::nullopt;
  if (name.expiry.size() > 1 && name.expiry.front() == '0') return std::nullopt;
  const char* const end = name.expiry.data() + name.expiry.size();
  const auto [stop, error] = std::from_chars(name.expiry.data(), end, name.expiry_seconds);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return name;
}

std::uint64_t seconds_of(UnixTime time) noexcept {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  return seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds);
}

}  // namespace

FirezoneCredentials FirezoneCredentials::draw(crypto::Random& random) {
  constexpr std::size_t kSecretBytes = 32;
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<std::byte, kSecretBytes> raw;
  random.fill(raw);
  std::array<char, 2 * kSecretBytes> text;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    text[2 * i] = kDigits[std::to_integer<std::size_t>(raw[i] >> 4)];
    text[2 * i + 1] = kDigits[std::to_integer<std::size_t>(raw[i] & std::byte{0xF})];
  }
  FirezoneCredentials credentials{std::string_view(text.data(), text.size())};
  crypto::wipe(raw);
  crypto::wipe(std::as_writable_bytes(std::span(text)));
  return credentials;
}

std::optional<UserLookup> FirezoneCredentials::find(std::string_view username, UnixTime now) const {
  const auto name = split(username);
  if (!name) return std::nullopt;
  const SecretText text = crypto::turn_password(name->expiry, secret_.view(), name->salt);
  return UserLookup{stun::LongTermKey(username, kRealm, text.view()), name->expiry_seconds < seconds_of(now)};
}

std::optional<SecretText> FirezoneCredentials::password(std::string_view username) const {
  const auto name = split(username);
  if (!name) return std::nullopt;
  return crypto::turn_password(name->expiry, secret_.view(), name->salt);
}

Result<StaticCredentials, std::string> StaticCredentials::parse(std::string realm, std::string_view file) {
  StaticCredentials credentials(std::move(realm));
  file = without_byte_order_mark(file);
  for (std::size_t number = 1; !file.empty(); ++number) {
    const std::size_t newline = file.find('\n');
    std::string_view line = file.substr(0, newline);
    file.remove_prefix(newline == std::string_view::npos ? file.size() : newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;

    const std::string where = "line " + std::to_string(number) + ": ";
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return err(where + "there is no colon between user and password");
    if (colon == 0) return err(where + "the user is empty");
    if (colon > stun::kMaxUsernameBytes) return err(where + "a username has at most 512 bytes");
    if (colon + 1 == line.size()) return err(where + "the password is empty");
    if (credentials.keys_.contains(line.substr(0, colon))) return err(where + "this user has a line already");
    if (credentials.size() == kUsersMax) return err(where + "more than 65536 users");
    credentials.add(line.substr(0, colon), line.substr(colon + 1));
  }
  return credentials;
}

void StaticCredentials::add(std::string_view user, std::string_view password) {
  keys_.insert_or_assign(std::string(user), stun::LongTermKey(user, realm_, password));
}

std::optional<UserLookup> StaticCredentials::find(std::string_view username, UnixTime) const {
  const auto found = keys_.find(username);
  if (found == keys_.end()) return std::nullopt;
  return UserLookup{found->second, false};
}

}  // namespace fireline::relay
