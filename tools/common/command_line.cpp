#include "tools/common/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace fireline {

std::optional<EarlyExit> parse_command_line(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return EarlyExit{0, app.help()};
  } catch (const CLI::CallForVersion& version) {
    return EarlyExit{0, std::string(version.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    return EarlyExit{1, std::string(error.what()) + ": see " + app.get_name() + " --help"};
  }
  return std::nullopt;
}

int leave(const EarlyExit& exit, const char* program) {
  if (exit.code == 0) {
    std::fputs(exit.text.c_str(), stdout);
  } else {
    std::fprintf(stderr, "%s: %s\n", program, exit.text.c_str());
  }
  return exit.code;
}

}  // namespace fireline
