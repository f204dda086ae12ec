// fireline-lab-node: one end of a lab's connection, a client or a gateway, without a portal.
#include "tools/common/shortage.h"
#include "tools/node/program.h"

int main(int argc, char** argv) {
  return fireline::run_to_end("fireline-lab-node", [&] { return fireline::lab::run_command(argc, argv); });
}
