// fireline-relay: a STUN and TURN server over UDP for Firezone clients and, with --auth static, for everybody.
#include "tools/common/shortage.h"
#include "tools/relay/program.h"

int main(int argc, char** argv) {
  return fireline::run_to_end("fireline-relay", [&] { return fireline::relay::run_relay(argc, argv); });
}
