// An ICE candidate: one address at which a node can perhaps be reached. Source: RFC 8445 section 5.1.1; what differs is
// the Firezone baseline's. Component is always 1 and transport always UDP, so neither is stored.
// Lifetime: values. Threads: any. No allocation. Limits and errors: as each function says.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/endpoint.h"
#include "core/base/result.h"

namespace fireline::ice {

enum class CandidateKind : std::uint8_t { host, peer_reflexive, server_reflexive, relayed };

// The word behind "typ" in a candidate's text: "host", "prflx", "srflx", "relay".
[[nodiscard]] std::string_view name_of(CandidateKind kind) noexcept;

enum class CandidateError : std::uint8_t {
  unusable_address,  // see is_usable()
  mixed_families,    // address and base of different families: nothing could be sent from one to be seen as the other
};

struct Candidate {
  CandidateKind kind = CandidateKind::host;
  Endpoint address;
  Endpoint base;                    // where datagrams are sent from; for all but local server reflexive ones = address
  std::optional<Endpoint> related;  // raddr and rport exactly as in the text: peers compare them
  std::uint32_t priority = 0;
  // The relayed address is of another family than the path to the relay; costs priority.
  bool crosses_families = false;

  // Local candidates. Their priority is 0 until a LocalCandidates gives them one.
  [[nodiscard]] static Result<Candidate, CandidateError> host(const Endpoint& address) noexcept;
  [[nodiscard]] static Result<Candidate, CandidateError> server_reflexive(const Endpoint& address,
                                                                          const Endpoint& base) noexcept;
  // `relay_family`: of the socket over which we talk to the relay.
  [[nodiscard]] static Result<Candidate, CandidateError> relayed(const Endpoint& address, Family relay_family) noexcept;

  [[nodiscard]] Family family() const noexcept { return address.address.family(); }
};

// One and the same candidate for the node that has it.
[[nodiscard]] bool is_same(const Candidate& a, const Candidate& b) noexcept;

// What an invalidation names: kind, address, raddr and rport. Priority, foundation and ufrag of an invalidation may
// differ from those of the announcement, and a base is never told.
[[nodiscard]] bool is_same_announcement(const Candidate& a, const Candidate& b) noexcept;

// False for IPv4 link-local, broadcast, multicast and unspecified, IPv6 multicast and unspecified, and port 0.
[[nodiscard]] bool is_usable(const Endpoint& endpoint) noexcept;

// 0.0.0.0:0 or [::]:0, which stands for raddr and rport of server reflexive and relayed candidates: the true values
// would tell the peer addresses of the inner network.
[[nodiscard]] Endpoint unspecified(Family family) noexcept;

// The priority's bytes in little-endian order as 8 hexadecimal digits, then a 64-bit hash of kind, base address,
// related address and transport. Nothing on the wire depends on it; the first digits make logs of both ends alike.
class Foundation {
 public:
  explicit Foundation(const Candidate& candidate) noexcept;
  [[nodiscard]] std::string_view text() const noexcept { return {digits_.data(), digits_.size()}; }

 private:
  std::array<char, 24> digits_;
};

}  // namespace fireline::ice
