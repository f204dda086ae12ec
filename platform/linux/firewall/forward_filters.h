// Finds filters of others that drop what the tunnel forwards. An accept in one nftables table does not overrule a drop
// in another: every chain of the hook has to let a packet pass. Docker, firewalld and some distributions' defaults
// drop. Reads the JSON of `nft -j list ruleset` (libnftables-json(5)). No state; any thread.
//
// A guess on the safe side of silence: a chain counts when its policy or its last rule drops everything and no rule of
// its table accepts the interface. Rules of legacy iptables are not part of the list.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace fireline::platform {

// One sentence for each such chain, with the command that helps. Empty for text that is not such JSON.
[[nodiscard]] std::vector<std::string> forward_obstacles(const std::string& ruleset_json, std::string_view interface,
                                                         std::string_view own_table);

}  // namespace fireline::platform
