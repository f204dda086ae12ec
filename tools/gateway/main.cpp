// fireline-gateway: see program.h.
#include "tools/common/shortage.h"
#include "tools/gateway/program.h"

int main(int argc, char** argv) {
  return fireline::run_to_end("fireline-gateway", [&] { return fireline::gateway::run_command(argc, argv); });
}
