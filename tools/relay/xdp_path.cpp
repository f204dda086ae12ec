#include "tools/relay/xdp_path.h"

namespace fireline::relay {

Result<std::unique_ptr<XdpPath>, std::string> XdpPath::open(const RelayOptions&) {
  return err(std::string(
      "--ebpf-offloading: XDP is not in this build: leave it out, and everything is relayed in user space"));
}

}  // namespace fireline::relay
