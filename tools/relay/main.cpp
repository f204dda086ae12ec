// fireline-relay: a STUN and TURN server over UDP for Firezone clients and, with --auth static, for everybody.
#include "tools/relay/program.h"

int main(int argc, char** argv) {
  return fireline::relay::run_relay(argc, argv);
}
