// fireline-portal: a small control plane from one policy file.
#include "tools/portal/program.h"

int main(int argc, char** argv) {
  return fireline::portal_tool::run_portal(argc, argv);
}
