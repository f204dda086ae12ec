// fireline-portal: a small control plane from one policy file.
#include "tools/common/shortage.h"
#include "tools/portal/program.h"

int main(int argc, char** argv) {
  return fireline::run_to_end("fireline-portal", [&] { return fireline::portal_tool::run_portal(argc, argv); });
}
