#include "core/policy/value_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace fireline::policy {
namespace {

constexpr std::string_view kFilterForm = "\"tcp\", \"tcp/443\", \"udp/1000-2000\" or \"icmp\"";
constexpr std::size_t kDomainBytesMax = 253;  // RFC 1035 section 2.3.4, without the last dot
constexpr std::size_t kLabelBytesMax = 63;

// Digits alone, no sign, no space.
std::optional<unsigned> digits(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool all = error == std::errc() && end == text.data() + text.size();
  return all && !text.empty() ? std::optional(value) : std::nullopt;
}

std::optional<std::uint16_t> port(std::string_view text) {
  const auto value = digits(text);
  if (!value || *value == 0 || *value > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*value);
}

bool overlap(const Prefix& a, const Prefix& b) {
  return a.contains(b.address()) || b.contains(a.address());
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_wildcard(char c) {
  return c == '*' || c == '?';
}

// Whether each label is of letters, digits, '-', '_' and what `also` permits.
template <class Also>
bool is_name(std::string_view name, Also also) {
  if (name.empty() || name.size() > kDomainBytesMax) return false;
  std::size_t length = 0;
  for (const char c : name) {
    if (c == '.') {
      if (length == 0) return false;
      length = 0;
      continue;
    }
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if ((!plain && !also(c)) || ++length > kLabelBytesMax) return false;
  }
  return length > 0;
}

std::string lowered(std::string_view text) {
  std::string name(text);
  std::ranges::transform(name, name.begin(), lower);
  return name;
}

}  // namespace

Parsed<Filter> parse_filter(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view protocol = text.substr(0, slash);
  Filter filter;
  if (protocol == "icmp" && slash == text.size()) {
    filter.protocol = FilterProtocol::icmp;
    return filter;
  }
  if (protocol != "tcp" && protocol != "udp") return err(std::string(kFilterForm));
  filter.protocol = protocol == "tcp" ? FilterProtocol::tcp : FilterProtocol::udp;
  if (slash == text.size()) return filter;

  const std::string_view ports = text.substr(slash + 1);
  const std::size_t dash = std::min(ports.find('-'), ports.size());
  const auto first = port(ports.substr(0, dash));
  const auto last = dash == ports.size() ? first : port(ports.substr(dash + 1));
  if (!first || !last || *first > *last) {
    return err("ports from 1 to 65535 behind the slash, the lower one first, as in " + std::string(kFilterForm));
  }
  filter.first_port = *first;
  filter.last_port = *last;
  return filter;
}

Parsed<Prefix> parse_network(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto address = IpAddress::parse(text.substr(0, slash));
  const auto prefix = Prefix::parse(text);
  if (!address || !prefix || slash == text.size()) {
    return err(std::string("a network with its prefix length, such as \"10.0.0.0/8\""));
  }
  if (prefix->address() != *address) return err("a network without host bits, here \"" + prefix->to_string() + "\"");
  return *prefix;
}

Parsed<Prefix> parse_source(std::string_view text) {
  if (text.find('/') != std::string_view::npos) return parse_network(text);
  const auto address = IpAddress::parse(text);
  if (!address) return err(std::string("an address or a network, such as \"192.0.2.0/24\""));
  return Prefix::make(*address, address->bits()).value();
}

Parsed<std::int64_t> parse_clock(std::string_view text) {
  if (text.size() == 5 && text[2] == ':') {
    const auto hour = digits(text.substr(0, 2));
    const auto minute = digits(text.substr(3));
    if (hour && minute && *minute < 60 && (*hour < 24 || (*hour == 24 && *minute == 0))) {
      return std::int64_t{*hour} * 3600 + std::int64_t{*minute} * 60;
    }
  }
  return err(std::string("a time of the day in UTC from \"00:00\" to \"24:00\""));
}

Parsed<std::int64_t> parse_day(std::string_view text) {
  constexpr std::array<std::string_view, 7> kDays{"monday", "tuesday",  "wednesday", "thursday",
                                                  "friday", "saturday", "sunday"};
  const auto found = std::ranges::find(kDays, text);
  if (found == kDays.end()) return err(std::string("a day from \"monday\" to \"sunday\""));
  return static_cast<std::int64_t>(found - kDays.begin());
}

Parsed<UnixSeconds> parse_instant(std::string_view text) {
  using namespace std::chrono;
  const std::string form = "a time in UTC such as \"2026-12-31T18:00:00Z\"";
  if (text.size() != 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' ||
      text[19] != 'Z') {
    return err(form);
  }
  const auto y = digits(text.substr(0, 4));
  const auto m = digits(text.substr(5, 2));
  const auto d = digits(text.substr(8, 2));
  const auto hour = digits(text.substr(11, 2));
  const auto minute = digits(text.substr(14, 2));
  const auto second = digits(text.substr(17, 2));
  if (!y || !m || !d || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 59) return err(form);
  const year_month_day date(year(static_cast<int>(*y)), month(*m), day(*d));
  if (!date.ok()) return err("a day that there is, as " + form);
  return UnixSeconds(sys_days(date)) + hours(*hour) + minutes(*minute) + seconds(*second);
}

Parsed<std::string> parse_pattern(std::string_view text) {
  std::string name = lowered(text);
  const std::size_t dot = name.rfind('.');
  const std::string_view last = std::string_view(name).substr(dot == std::string::npos ? 0 : dot + 1);
  if (!is_name(name, is_wildcard) || std::ranges::any_of(last, is_wildcard)) {
    return err(std::string("a DNS name, with wildcards (\"*\", \"**\", \"?\") in any label but the last"));
  }
  if (IpAddress::parse(name)) return err(std::string("a DNS name; an address is of the type \"ip\""));
  return name;
}

Parsed<std::string> parse_domain(std::string_view text) {
  std::string name = lowered(text);
  if (!is_name(name, [](char) { return false; })) return err(std::string("a DNS name such as \"corp.example\""));
  return name;
}

bool overlaps_reserved(const Prefix& prefix) {
  static const std::array<Prefix, 2> kReserved{Prefix::parse("100.64.0.0/10").value(),
                                               Prefix::parse("fd00:2021:1111::/48").value()};
  return std::ranges::any_of(kReserved, [&](const Prefix& reserved) { return overlap(prefix, reserved); });
}

}  // namespace fireline::policy
