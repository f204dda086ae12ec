#include "core/ice/candidate_text.h"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <optional>

namespace fireline::ice {
namespace {

constexpr std::string_view kPrefix = "candidate:";

// Takes tokens that are separated by exactly one space.
class Tokens {
 public:
  explicit Tokens(std::string_view text) noexcept : rest_(text) {}

  // Empty at the end, and where two spaces follow each other.
  std::string_view next() noexcept {
    const std::string_view token = rest_.substr(0, rest_.find(' '));
    rest_.remove_prefix(std::min(token.size() + 1, rest_.size()));
    return token;
  }

  // The value behind `name` when that is the next token and has one; otherwise nothing is taken.
  std::optional<std::string_view> value_of(std::string_view name) noexcept {
    if (!rest_.starts_with(name)) return std::nullopt;
    std::string_view behind = rest_.substr(name.size());
#ifdef FIRELINE_PLANTED_BUG
    if (behind.empty() || behind[0] != ' ' || behind[1] == ' ') return std::nullopt;
#else
    if (behind.size() < 2 || behind[0] != ' ' || behind[1] == ' ') return std::nullopt;
#endif
    rest_ = behind.substr(1);
    return next();
  }

 private:
  std::string_view rest_;
};

template <std::unsigned_integral T>
std::optional<T> number(std::string_view token) noexcept {
  T value = 0;
  const char* const end = token.data() + token.size();
  const auto [stop, error] = std::from_chars(token.data(), end, value);
  if (token.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

std::optional<Transport> transport_of(std::string_view token) noexcept {
  const auto is = [token](std::string_view name) {
    return std::ranges::equal(token, name, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
  };
  if (is("udp")) return Transport::udp;
  if (is("tcp")) return Transport::tcp;
  if (is("ssltcp")) return Transport::ssltcp;
  if (is("tls")) return Transport::tls;
  return std::nullopt;
}

std::optional<Endpoint> endpoint(std::string_view ip, std::string_view port) noexcept {
  const auto address = IpAddress::parse(ip);
  const auto port_number = number<std::uint16_t>(port);
  if (!address || !port_number) return std::nullopt;
  return Endpoint{*address, *port_number, 0};
}

std::optional<CandidateKind> kind_of(std::string_view token) noexcept {
  for (const auto kind :
       {CandidateKind::host, CandidateKind::peer_reflexive, CandidateKind::server_reflexive, CandidateKind::relayed}) {
    if (token == name_of(kind)) return kind;
  }
  return std::nullopt;
}

}  // namespace

Result<CandidateText, CandidateTextError> CandidateText::parse(std::string_view text) noexcept {
  if (text.size() > kCandidateTextBytesMax) return err(CandidateTextError::too_long);
  if (!text.starts_with(kPrefix)) return err(CandidateTextError::no_prefix);
  Tokens tokens(text.substr(kPrefix.size()));
  CandidateText result;

  result.foundation = tokens.next();
  if (result.foundation.empty()) return err(CandidateTextError::no_prefix);
  const auto component = number<std::uint16_t>(tokens.next());
  if (!component) return err(CandidateTextError::bad_component);
  result.component = *component;
  const auto transport = transport_of(tokens.next());
  if (!transport) return err(CandidateTextError::bad_transport);
  result.transport = *transport;
  const auto priority = number<std::uint32_t>(tokens.next());
  if (!priority) return err(CandidateTextError::bad_priority);
  result.candidate.priority = *priority;
  const std::string_view ip = tokens.next();
  const auto address = endpoint(ip, tokens.next());
  if (!address) return err(CandidateTextError::bad_address);
  result.candidate.address = result.candidate.base = *address;
  if (tokens.next() != "typ") return err(CandidateTextError::bad_kind);
  const auto kind = kind_of(tokens.next());
  if (!kind) return err(CandidateTextError::bad_kind);
  result.candidate.kind = *kind;

  static_cast<void>(tokens.value_of("tcptype"));
  if (const auto related_ip = tokens.value_of("raddr")) {
    const auto related_port = tokens.value_of("rport");
    result.candidate.related = endpoint(*related_ip, related_port.value_or(""));
    if (!result.candidate.related) return err(CandidateTextError::bad_related);
  }
  static_cast<void>(tokens.value_of("generation"));
  static_cast<void>(tokens.value_of("network-id"));
  result.ufrag = tokens.value_of("ufrag").value_or("");
  return result;
}

std::string candidate_text(const Candidate& candidate, std::string_view ufrag) {
  std::string text(kPrefix);
  text += Foundation(candidate).text();
  text += " 1 udp " + std::to_string(candidate.priority);
  text += ' ' + candidate.address.address.to_string() + ' ' + std::to_string(candidate.address.port);
  text += " typ ";
  text += name_of(candidate.kind);
  if (candidate.related) {
    text += " raddr " + candidate.related->address.to_string() + " rport " + std::to_string(candidate.related->port);
  }
  const bool tells_ufrag = candidate.kind == CandidateKind::host || candidate.kind == CandidateKind::relayed;
  if (tells_ufrag && !ufrag.empty()) {
    text += " ufrag ";
    text += ufrag;
  }
  return text;
}

}  // namespace fireline::ice
