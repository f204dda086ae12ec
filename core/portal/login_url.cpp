#include "core/portal/login_url.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/base/form_urlencoding.h"

namespace fireline::portal {
namespace {

constexpr std::size_t kHostBytesMax = 253;
constexpr std::string_view kSpace = " \t\r\n";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_host_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

std::string_view trimmed(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::optional<bool> tls_of(std::string_view scheme) {
  const std::string name = lower(scheme);
  if (name == "wss" || name == "https") return true;
  if (name == "ws" || name == "http") return false;
  return std::nullopt;
}

struct Authority {
  std::string host;
  std::optional<IpAddress> address;
  std::uint16_t port = kDefaultPort;
};

Result<Authority, std::string> read_authority(std::string_view text) {
  if (text.find('@') != std::string_view::npos) {
    return err(std::string("the portal's URL must not hold a user or password"));
  }
  Authority authority;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    const auto inside = end == std::string_view::npos ? std::string_view() : text.substr(1, end - 1);
    authority.address = IpAddress::parse(inside);
    if (!authority.address || authority.address->is_v4()) {
      return err(std::string("the brackets in the portal's URL do not hold an IPv6 address"));
    }
    authority.host = authority.address->to_string();
    port = text.substr(end + 1);
  } else {
    const auto colon = text.find(':');
    authority.host = lower(text.substr(0, colon));
    port = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    authority.address = IpAddress::parse(authority.host);
    if (authority.host.empty() || authority.host.size() > kHostBytesMax ||
        !std::ranges::all_of(authority.host, is_host_character)) {
      return err(std::string("the portal's URL has no valid host name"));
    }
  }
  if (port.empty() || port == ":") return authority;
  const auto* const end = port.data() + port.size();
  const auto [stop, error] = std::from_chars(port.data() + 1, end, authority.port);
  if (port.front() != ':' || error != std::errc{} || stop != end || authority.port == 0) {
    return err(std::string("the portal's URL has no valid port: it is a number from 1 to 65535"));
  }
  return authority;
}

}  // namespace

Result<PortalUrl, std::string> PortalUrl::parse(std::string_view text) {
  text = trimmed(text);
  const auto colon = text.find("://");
  const auto tls = colon == std::string_view::npos ? std::nullopt : tls_of(text.substr(0, colon));
  if (!tls) return err(std::string("the portal's URL must start with wss://, ws://, https:// or http://"));
  text.remove_prefix(colon + 3);
  text = text.substr(0, text.find_first_of("?#"));
  const auto slash = text.find('/');
  auto authority = read_authority(text.substr(0, slash));
  if (!authority) return err(std::move(authority.error()));

  PortalUrl url;
  url.tls_ = *tls;
  url.host_ = std::move(authority->host);
  url.port_ = authority->port;
  url.address_ = authority->address;
  if (slash != std::string_view::npos) url.path_ = text.substr(slash);
  if (url.path_.ends_with('/')) url.path_.pop_back();
  if (!std::ranges::all_of(url.path_, [](char c) { return c > ' ' && c < '\x7f'; })) {
    return err(std::string("the path of the portal's URL holds a character that must be percent-encoded"));
  }
  return url;
}

std::string PortalUrl::path_of(Role role) const {
  return path_ + "/" + std::string(name_of(role)) + "/websocket";
}

std::string PortalUrl::to_string() const {
  const bool brackets = address_ && !address_->is_v4();
  std::string text = (tls_ ? "wss://" : "ws://") + (brackets ? "[" + host_ + "]" : host_);
  if (port_ != kDefaultPort) text += ":" + std::to_string(port_);
  return text + path_ + "/";
}

LoginUrl::LoginUrl(PortalUrl portal, const LoginIdentity& identity) : portal_(std::move(portal)) {
  std::string target = portal_.path_of(identity.role);
  // What grows would leave copies of the token behind.
  constexpr std::size_t kBesideTexts = 512;
  target.reserve(target.size() + kBesideTexts +
                 3 * (identity.token.view().size() + identity.external_id.size() + identity.name.size() +
                      identity.device_serial.size() + identity.device_uuid.size()));
  char separator = '?';
  const auto add = [&](std::string_view key, std::string_view value) {
    target += std::exchange(separator, '&');
    target.append(key).append("=");
    append_form_urlencoded(target, value);
  };
  const bool relay = identity.role == Role::relay;
  add("token", trimmed(identity.token.view()));
  if (!relay) add("external_id", identity.external_id);
  if (!identity.name.empty()) add("name", identity.name);
  if (relay) {
    if (identity.ipv4) add("ipv4", identity.ipv4->to_string());
    if (identity.ipv6) add("ipv6", identity.ipv6->to_string());
    add("port", std::to_string(identity.port));
  }
  if (identity.role == Role::client) {
    if (!identity.device_serial.empty()) add("device_serial", identity.device_serial);
    if (!identity.device_uuid.empty()) add("device_uuid", identity.device_uuid);
  }
  if (!relay) add("public_key", identity.public_key.to_base64());
  target_ = crypto::SecretText(target);
  crypto::wipe(std::as_writable_bytes(std::span(target)));
}

}  // namespace fireline::portal
