// fireline-gateway: see program.h.
#include "tools/gateway/program.h"

int main(int argc, char** argv) {
  return fireline::gateway::run_command(argc, argv);
}
