// Which peers are refused, as the operator says it: flags, the file of --peer-rules, and the host's own addresses.
// At start and at each SIGHUP. Errors are one sentence, which names the line where one is wrong.
//
//   # comment
//   deny 192.0.2.0/24
//   allow 10.0.0.0/8        with --auth static
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "relay/protocol/peer_rules.h"
#include "tools/relay/options.h"

namespace fireline::relay {

// Each bind and permission is compared with every prefix: that many cost about 10 µs.
inline constexpr std::size_t kPeerPrefixesMax = 1024;
inline constexpr std::size_t kPeerRulesBytesMax = std::size_t{256} << 10;

struct PeerPrefixes {
  std::vector<Prefix> allow;
  std::vector<Prefix> deny;
};

// The error has no file name: "line 3: ...".
[[nodiscard]] Result<PeerPrefixes, std::string> parse_peer_rules(std::string_view text, AuthKind auth);

// Flags and file together. What the host's interfaces say is read anew each time; rules without it
// would open the host's own services, so that it is an error where the kernel does not tell.
[[nodiscard]] Result<PeerRules, std::string> read_peer_rules(const RelayOptions& options);

}  // namespace fireline::relay
