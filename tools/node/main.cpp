// fireline-lab-node: one end of a lab's connection, a client or a gateway, without a portal.
#include "tools/node/program.h"

int main(int argc, char** argv) {
  return fireline::lab::run_command(argc, argv);
}
