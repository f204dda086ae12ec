// Who sees which resource, until when. Source: portal specification 6.5 and 6.10.
// Pure functions over a linked Document. Threads: any. Cost: visible_resources is linear in what the actor's policies
// name; access() is logarithmic in each of them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/policy/document.h"

namespace fireline::policy {

struct Context {
  UnixSeconds now;
  IpAddress source;  // of the client's connection to the portal
};

// What of a client keeps a policy from holding, in the portal's words (portal specification 3.1, flow_creation_failed).
enum class Property : std::uint8_t { remote_ip, current_utc_datetime };
[[nodiscard]] std::string_view name_of(Property property) noexcept;

enum class Refusal : std::uint8_t {
  not_found,  // no policy gives this actor the resource, or no site serves it
  forbidden,  // policies do, but none of them holds for this client at this time
};

struct Access {
  std::size_t policy = 0;  // the one that lasts longest
  // Of this one, and of those that follow without a gap.
  std::optional<UnixSeconds> until;  // empty: as long as the document says so. The token's expiry is the caller's part
};

struct Denial {
  Refusal reason = Refusal::not_found;
  std::vector<Property> violated;  // of all those policies, each once, ascending; for `forbidden` alone
};

[[nodiscard]] Result<Access, Denial> access(const Document& document, const Actor& actor, const Uuid& resource,
                                            const Context& context);

// Places in document.resources, ascending: those for which access() has a value.
[[nodiscard]] std::vector<std::size_t> visible_resources(const Document& document, const Actor& actor,
                                                         const Context& context);

// Strictly after `now`: when time alone changes what some actor sees. Empty: never. Ask at that second, and at least
// every 60 s by the wall clock, which may jump.
[[nodiscard]] std::optional<UnixSeconds> next_change(const Document& document, UnixSeconds now);

}  // namespace fireline::policy
