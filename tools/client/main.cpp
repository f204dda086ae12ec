// fireline-client: see program.h.
#include "tools/client/program.h"
#include "tools/common/shortage.h"

int main(int argc, char** argv) {
  return fireline::run_to_end("fireline-client", [&] { return fireline::client::run_command(argc, argv); });
}
