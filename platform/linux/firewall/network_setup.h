// What a gateway's host needs so that packets of clients reach the networks behind it: forwarding, and masquerading of
// the tunnel's addresses (platform specification 6.10). Run as root before the gateway starts, undone after it stops.
//
// One nftables table of our own, replaced in one transaction (libnftables), and sysctls. What a sysctl was before is
// kept in a file under /run, so that undoing restores it, unless somebody else has changed it since. Both calls are
// idempotent. No state in memory. Threads: one at a time; works in the calling thread's network namespace.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "platform/linux/host_error.h"
#include "platform/linux/sysctl.h"

namespace fireline::platform {

struct NetworkSetup {
  std::string interface = "tun-firezone";
  std::string table = "fireline-gateway";  // of family inet
  std::string state_file = "/run/fireline-gateway/network-setup";
  std::string sysctl_root = kSysctlRoot;
};

struct NetworkSetupReport {
  std::vector<std::string> done;      // what was changed, a sentence each; empty: everything was as wanted
  std::vector<std::string> warnings;  // what works against it and is not ours to change, with the fix
};

// Errors say what is missing; nothing is half done in the firewall.
[[nodiscard]] Result<NetworkSetupReport, HostError> set_up_network(const NetworkSetup& setup);

// Leaves nothing behind. Nothing to undo is no error; what cannot be undone stops nothing else and is a warning.
[[nodiscard]] Result<NetworkSetupReport, HostError> tear_down_network(const NetworkSetup& setup);

}  // namespace fireline::platform
