#include "core/portal/server/login.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "core/crypto/secret.h"

namespace fireline::portal {
namespace {

struct Door {
  std::string_view path;
  Role role;
};
constexpr std::array<Door, 3> kDoors{
    {{"/client/websocket", Role::client}, {"/gateway/websocket", Role::gateway}, {"/relay/websocket", Role::relay}}};

constexpr std::string_view kSpace = " \t\r\n";

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// application/x-www-form-urlencoded. Nothing for a broken escape, and for a zero byte, which ends texts elsewhere.
std::optional<std::string> decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i] == '+' ? ' ' : text[i];
    if (c == '%') {
#ifdef FIRELINE_PLANTED_BUG
      if (i + 2 > text.size()) return std::nullopt;
#else
      if (i + 2 >= text.size()) return std::nullopt;
#endif
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return std::nullopt;
    out += c;
  }
  return out;
}

// The parameter's value; empty when there is none. Repeated ones: the last, as Phoenix takes it.
std::optional<std::string> parameter(std::string_view query, std::string_view name) {
  std::optional<std::string> value;
  while (!query.empty()) {
    const auto field = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(field.size() + 1, query.size()));
    const auto equals = field.find('=');
    if (field.substr(0, equals) != name) continue;
    value = decode(equals == std::string_view::npos ? std::string_view() : field.substr(equals + 1));
  }
  return value;
}

std::string_view trimmed(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

void wipe(std::string& text) noexcept {
  crypto::wipe(std::as_writable_bytes(std::span(text)));
}

crypto::SecretText read_token(const LoginRequest& request, std::string_view query) {
  constexpr std::string_view kBearer = "Bearer ";
  if (request.authorization.starts_with(kBearer)) {
    const auto token = trimmed(request.authorization.substr(kBearer.size()));
    return token.find('\0') == token.npos ? crypto::SecretText(token) : crypto::SecretText();
  }
  auto value = parameter(query, "token");
  if (!value) return {};
  crypto::SecretText token(trimmed(*value));
  wipe(*value);
  return token;
}

std::size_t characters(std::string_view utf8) noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::optional<Refusal> read_device(std::string_view query, LoginParameters& login) {
  const auto id = parameter(query, "external_id");
  if (!id || trimmed(*id).empty()) return refusal::invalid_parameters("external_id is missing");
  if (id->size() > kTextBytesMax) return refusal::invalid_parameters("external_id is too long");
  login.external_id = *id;
  const auto key = parameter(query, "public_key");
  const auto parsed = key ? crypto::PublicKey::from_base64(*key) : std::nullopt;
  if (!parsed) return refusal::invalid_parameters("public_key is no base64 of 32 bytes");
  login.public_key = *parsed;
  login.device_serial = parameter(query, "device_serial").value_or("").substr(0, kTextBytesMax);
  login.device_uuid = parameter(query, "device_uuid").value_or("").substr(0, kTextBytesMax);
  return std::nullopt;
}

bool in_any(std::span<const Prefix> prefixes, const IpAddress& address) {
  return std::ranges::any_of(prefixes, [&address](const Prefix& prefix) { return prefix.contains(address); });
}

// Whether peers could send there. Its own host is enough for a relay and its portal on one, as tests and demos have it.
bool is_reachable(const IpAddress& address, const IpAddress& source) {
  // Unspecified, link-local (which says nothing without a zone), multicast, broadcast, and IPv4 in IPv6's clothes.
  static const std::array kNowhere{*Prefix::parse("0.0.0.0/8"),   *Prefix::parse("169.254.0.0/16"),
                                   *Prefix::parse("224.0.0.0/4"), *Prefix::parse("255.255.255.255"),
                                   *Prefix::parse("::/128"),      *Prefix::parse("::ffff:0:0/96"),
                                   *Prefix::parse("fe80::/10"),   *Prefix::parse("ff00::/8")};
  static const std::array kLoopback{*Prefix::parse("127.0.0.0/8"), *Prefix::parse("::1")};
  if (in_any(kNowhere, address)) return false;
  return !in_any(kLoopback, address) || in_any(kLoopback, source);
}

std::optional<Refusal> read_relay(std::string_view query, const IpAddress& source, LoginParameters& login) {
  struct Row {
    std::string_view name;
    Family family;
    std::optional<IpAddress>* out;
  };
  for (const Row& row : {Row{"ipv4", Family::v4, &login.ipv4}, Row{"ipv6", Family::v6, &login.ipv6}}) {
    const auto text = parameter(query, row.name);
    if (!text || text->empty()) continue;
    *row.out = IpAddress::parse(*text);
    if (!*row.out || (*row.out)->family() != row.family) {
      return refusal::invalid_parameters(std::string(row.name) + " is no address of its family");
    }
    if (!is_reachable(**row.out, source)) {
      return refusal::invalid_parameters(std::string(row.name) + " is no address that peers can reach");
    }
  }
  if (!login.ipv4 && !login.ipv6) return refusal::invalid_parameters("neither ipv4 nor ipv6 is given");
  if (const auto text = parameter(query, "port")) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), login.port);
    if (error != std::errc{} || end != text->data() + text->size() || login.port == 0) {
      return refusal::invalid_parameters("port is no number from 1 to 65535");
    }
  }
  return std::nullopt;
}

}  // namespace

Result<LoginParameters, Refusal> read_login(const LoginRequest& request) {
  if (request.target.size() > kTargetBytesMax) return err(refusal::invalid_parameters("the request is too long"));
  const auto mark = request.target.find('?');
  const auto query = mark == std::string_view::npos ? std::string_view() : request.target.substr(mark + 1);
  const auto* const door = std::ranges::find(kDoors, request.target.substr(0, mark), &Door::path);
  if (door == kDoors.end()) return err(refusal::no_such_endpoint());

  LoginParameters login;
  login.role = door->role;
  login.token = read_token(request, query);
  if (login.token.empty()) return err(refusal::missing_token());
  auto agent = ProgramAgent::parse(request.user_agent);
  if (!agent) return err(refusal::invalid_parameters("the user agent names no known program"));
  login.agent = std::move(*agent);
  login.name = parameter(query, "name").value_or("");
  // Bytes that are no UTF-8 may be no characters at all.
  const bool long_name = characters(login.name) > kNameCharactersMax || login.name.size() > 4 * kNameCharactersMax;
  if (long_name) return err(refusal::invalid_parameters("name is too long"));
  const auto wrong = login.role == Role::relay ? read_relay(query, request.source, login) : read_device(query, login);
  if (wrong) return err(*wrong);
  return login;
}

}  // namespace fireline::portal
