// fireline-client: see program.h.
#include "tools/client/program.h"

int main(int argc, char** argv) {
  return fireline::client::run_command(argc, argv);
}
