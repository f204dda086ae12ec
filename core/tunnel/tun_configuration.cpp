#include "core/tunnel/tun_configuration.h"

#include "core/tunnel/address_ranges.h"

namespace fireline::tunnel {

std::vector<Prefix> fixed_client_routes() {
  std::vector<Prefix> routes;
  for (const std::string_view range :
       {kTunnelRangeV4, kTunnelRangeV6, kProxyRangeV4, kProxyRangeV6, kSentinelRangeV4, kSentinelRangeV6}) {
    if (const auto prefix = Prefix::parse(range)) routes.push_back(*prefix);
  }
  return routes;
}

}  // namespace fireline::tunnel
