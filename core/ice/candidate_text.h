// A candidate as text, one per string, as the portal carries it between the nodes:
//
//   candidate:<foundation> 1 udp <priority> <ip> <port> typ <host|srflx|prflx|relay>[ raddr <ip> rport <port>]
//   [ ufrag <ufrag>]
//
// Single spaces, no "a=", no line end. Source: RFC 8839 section 5.1 as the Firezone baseline reads and writes it.
// Lifetime: CandidateText borrows the string. Threads: any. Reading allocates nothing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/ice/candidate.h"

namespace fireline::ice {

// An honest text has about 120 characters and foundations of other programs some more; what follows the known tokens is
// ignored, but not without end.
inline constexpr std::size_t kCandidateTextBytesMax = 1024;

enum class CandidateTextError : std::uint8_t {
  too_long,
  no_prefix,  // "candidate:" and a foundation
  bad_component,
  bad_transport,
  bad_priority,
  bad_address,
  bad_kind,     // no "typ", or a word behind it that is no kind
  bad_related,  // "raddr" without an address, or without its "rport"
};

enum class Transport : std::uint8_t { udp, tcp, ssltcp, tls };

struct CandidateText {
  std::string_view foundation;
  std::uint16_t component = 0;
  Transport transport = Transport::udp;
  Candidate candidate;     // base = address: a base is never told
  std::string_view ufrag;  // empty when absent

  // Behind the kind, any of "tcptype", "raddr", "generation", "network-id", "ufrag", "network-cost", each with its
  // value, in this order; the first thing that is something else ends what is read.
  [[nodiscard]] static Result<CandidateText, CandidateTextError> parse(std::string_view text) noexcept;
};

// `ufrag`: the sender's own; written for host and relayed candidates alone, as the baseline does.
[[nodiscard]] std::string candidate_text(const Candidate& candidate, std::string_view ufrag);

}  // namespace fireline::ice
