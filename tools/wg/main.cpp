// fireline-wg: a userspace WireGuard device, drop-in for wireguard-go.
#include "tools/common/shortage.h"
#include "tools/wg/device_backend.h"
#include "tools/wg/program.h"

int main(int argc, char** argv) {
  return fireline::run_to_end(
      "fireline-wg", [&] { return fireline::wg::run_command(argc, argv, &fireline::wg::make_device_backend); });
}
