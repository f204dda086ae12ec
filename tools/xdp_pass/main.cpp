// fireline-xdp-pass: puts a program that passes every frame on the far end of a veth, so that it takes what the relay's
// XDP program sends. Needed wherever the relay runs behind a veth (containers, test namespaces).
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "relay/xdp_interface.h"
#include "tools/command_line/command_line.h"

int main(int argc, char** argv) {
  CLI::App app("Attaches or detaches an XDP program that passes every frame, for the far end of a relay's veth",
               "fireline-xdp-pass");
  app.set_version_flag("--version", "fireline-xdp-pass " FIRELINE_VERSION);
  app.require_subcommand(1);
  std::string interface;
  CLI::App& attach = *app.add_subcommand("attach", "attach it; it stays until detached or until the interface goes");
  attach.add_option("interface", interface, "the veth's end that faces the relay")->required();
  CLI::App& detach =
      *app.add_subcommand("detach",
                          "detach whatever XDP program the interface has in driver mode, unless a link "
                          "holds it, as the relay's: then end its program, or bpftool link detach id N, which "
                          "bpftool link list shows");
  detach.add_option("interface", interface, "the interface")->required();
  if (const auto exit = fireline::parse_command_line(app, argc, argv))
    return fireline::leave(*exit, "fireline-xdp-pass");

  const auto done = attach ? fireline::relay::attach_pass(interface) : fireline::relay::detach_pass(interface);
  if (done) return 0;
  std::fprintf(stderr, "fireline-xdp-pass: %s\n", done.error().c_str());
  return 1;
}
