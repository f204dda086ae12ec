#include "core/ice/candidate.h"

#include "core/base/wire.h"

namespace fireline::ice {
namespace {

constexpr std::uint64_t kFnvOffset = 0xCBF29CE484222325;
constexpr std::uint64_t kFnvPrime = 0x100000001B3;

std::uint64_t mix(std::uint64_t hash, ConstBytes bytes) noexcept {
  for (const std::byte b : bytes) hash = (hash ^ std::to_integer<std::uint64_t>(b)) * kFnvPrime;
  return hash;
}

std::uint64_t mix(std::uint64_t hash, std::uint8_t value) noexcept {
  return (hash ^ value) * kFnvPrime;
}

void write_hex(char* out, std::uint64_t value, unsigned digits) noexcept {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (unsigned i = 0; i < digits; ++i) out[i] = kDigits[(value >> (4 * (digits - 1 - i))) & 0xF];
}

std::uint8_t octet(const IpAddress& address, std::size_t index) noexcept {
  return load_u8(address.bytes(), index);
}

}  // namespace

std::string_view name_of(CandidateKind kind) noexcept {
  switch (kind) {
    case CandidateKind::host:
      return "host";
    case CandidateKind::peer_reflexive:
      return "prflx";
    case CandidateKind::server_reflexive:
      return "srflx";
    case CandidateKind::relayed:
      return "relay";
  }
  return "";
}

Result<Candidate, CandidateError> Candidate::host(const Endpoint& address) noexcept {
  if (!is_usable(address)) return err(CandidateError::unusable_address);
  Candidate candidate;
  candidate.kind = CandidateKind::host;
  candidate.address = candidate.base = address;
  return candidate;
}

Result<Candidate, CandidateError> Candidate::server_reflexive(const Endpoint& address, const Endpoint& base) noexcept {
  if (!is_usable(address) || !is_usable(base)) return err(CandidateError::unusable_address);
  if (address.address.family() != base.address.family()) return err(CandidateError::mixed_families);
  Candidate candidate;
  candidate.kind = CandidateKind::server_reflexive;
  candidate.address = address;
  candidate.base = base;
  candidate.related = unspecified(candidate.family());
  return candidate;
}

Result<Candidate, CandidateError> Candidate::relayed(const Endpoint& address, Family relay_family) noexcept {
  if (!is_usable(address)) return err(CandidateError::unusable_address);
  Candidate candidate;
  candidate.kind = CandidateKind::relayed;
  candidate.address = candidate.base = address;
  candidate.related = unspecified(candidate.family());
  candidate.crosses_families = candidate.family() != relay_family;
  return candidate;
}

bool is_same(const Candidate& a, const Candidate& b) noexcept {
  return is_same_announcement(a, b) && a.base == b.base;
}

bool is_same_announcement(const Candidate& a, const Candidate& b) noexcept {
  return a.kind == b.kind && a.address == b.address && a.related == b.related;
}

bool is_usable(const Endpoint& endpoint) noexcept {
  const IpAddress& address = endpoint.address;
  if (endpoint.port == 0 || address.is_unspecified()) return false;
  const std::uint8_t first = octet(address, 0);
  if (!address.is_v4()) return first != 0xFF;
  const bool link_local = first == 169 && octet(address, 1) == 254;
  const bool multicast = first >= 224 && first <= 239;
  const bool broadcast = load_be32(address.bytes(), 0) == 0xFFFFFFFF;
  return !link_local && !multicast && !broadcast;
}

Endpoint unspecified(Family family) noexcept {
  constexpr std::array<std::byte, 16> kZero{};
  return {IpAddress::from_bytes(ConstBytes(kZero).first(family == Family::v4 ? 4 : 16)), 0, 0};
}

Foundation::Foundation(const Candidate& candidate) noexcept {
  constexpr std::uint8_t kUdp = 17;
  std::uint64_t hash = mix(kFnvOffset, static_cast<std::uint8_t>(candidate.kind));
  hash = mix(hash, candidate.base.address.bytes());
  if (candidate.related) hash = mix(hash, candidate.related->address.bytes());
  hash = mix(hash, kUdp);
  write_hex(digits_.data(), std::byteswap(candidate.priority), 8);
  write_hex(digits_.data() + 8, hash, 16);
}

}  // namespace fireline::ice
