#include "core/base/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace fireline {
namespace {

// inet_pton wants a NUL; addresses have at most 45 characters.
bool to_c_string(std::string_view text, std::array<char, INET6_ADDRSTRLEN>& out) noexcept {
  if (text.size() >= out.size() || text.find('\0') != std::string_view::npos) return false;
  *std::copy(text.begin(), text.end(), out.begin()) = '\0';
  return true;
}

template <class T>
std::optional<T> parse_number(std::string_view text) noexcept {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace

IpAddress IpAddress::from_bytes(ConstBytes bytes) noexcept {
  if (bytes.size() != 4 && bytes.size() != 16) std::abort();
  IpAddress address;
  address.family_ = bytes.size() == 4 ? Family::v4 : Family::v6;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> c_string;
  if (!to_c_string(text, c_string)) return std::nullopt;
  IpAddress address;
  if (inet_pton(AF_INET, c_string.data(), address.bytes_.data()) == 1) return address;
  if (inet_pton(AF_INET6, c_string.data(), address.bytes_.data()) == 1) {
    address.family_ = Family::v6;
    return address;
  }
  return std::nullopt;
}

bool IpAddress::is_unspecified() const noexcept {
  return std::ranges::all_of(bytes(), [](std::byte b) { return b == std::byte{0}; });
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text.data(), text.size());
  return text.data();
}

std::optional<Prefix> Prefix::make(const IpAddress& address, unsigned length) noexcept {
  if (length > address.bits()) return std::nullopt;
  std::array<std::byte, 16> masked{};
  const auto bytes = address.bytes();
  const std::size_t whole = length / 8;
  std::copy_n(bytes.begin(), whole, masked.begin());
  if (length % 8 != 0) masked[whole] = bytes[whole] & std::byte(0xFF00u >> (length % 8));
  Prefix prefix;
  prefix.address_ = IpAddress::from_bytes(ConstBytes(masked).first(bytes.size()));
  prefix.length_ = static_cast<std::uint8_t>(length);
  return prefix;
}

std::optional<Prefix> Prefix::parse(std::string_view text) noexcept {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return make(*address, address->bits());
  const auto length = parse_number<std::uint8_t>(text.substr(slash + 1));
  if (!length) return std::nullopt;
  return make(*address, *length);
}

bool Prefix::contains(const IpAddress& address) const noexcept {
  if (address.family() != address_.family()) return false;
  const auto masked = make(address, length_);
  return masked && masked->address_ == address_;
}

std::string Prefix::to_string() const {
  return address_.to_string() + "/" + std::to_string(length_);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) noexcept {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!port) return std::nullopt;
  Endpoint endpoint;
  endpoint.port = *port;
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (const auto zone = host.find('%'); bracketed && zone != std::string_view::npos) {
    const auto scope = parse_number<std::uint32_t>(host.substr(zone + 1));
    if (!scope) return std::nullopt;
    endpoint.scope = *scope;
    host = host.substr(0, zone);
  }
  const auto address = IpAddress::parse(host);
  // Brackets belong to IPv6 and to nothing else.
  if (!address || address->is_v4() == bracketed) return std::nullopt;
  endpoint.address = *address;
  return endpoint;
}

std::string Endpoint::to_string() const {
  const auto port_text = ":" + std::to_string(port);
  if (address.is_v4()) return address.to_string() + port_text;
  const auto zone = scope == 0 ? std::string() : "%" + std::to_string(scope);
  return "[" + address.to_string() + zone + "]" + port_text;
}

}  // namespace fireline
