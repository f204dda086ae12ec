// A question for the addresses of one name and its answer, as DNS messages (RFC 1035 section 4, RFC 3596). ldns reads
// and writes them. Sans-I/O; any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/base/wire.h"

namespace fireline::dns {

inline constexpr std::size_t kAnswerBytesMax = 1500;  // of one datagram (platform specification 4.7)

enum class AnswerError : std::uint8_t {
  malformed,  // not a DNS message
  stranger,   // no answer, or to another question: forged or late
  failed,     // NXDOMAIN, SERVFAIL, REFUSED, …
};

// Nothing when `name` is no domain name. Recursion is wanted.
[[nodiscard]] std::optional<std::vector<std::byte>> make_address_query(std::uint16_t id, const std::string& name,
                                                                       Family family);

// The A or AAAA records of the answer, whatever names aliases lead through; may be none.
[[nodiscard]] Result<std::vector<IpAddress>, AnswerError> parse_address_answer(ConstBytes message, std::uint16_t id,
                                                                               const std::string& name, Family family);

}  // namespace fireline::dns
