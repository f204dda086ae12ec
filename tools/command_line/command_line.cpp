#include "tools/command_line/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string_view>

namespace fireline {
namespace {

// Flags by their names alone: any other word, and a flag's value, may be a secret in the wrong place.
std::string unknown_words(const CLI::App& app) {
  std::string names;
  for (const std::string& word : app.remaining(true)) {
    if (word.starts_with('-')) names += " " + word.substr(0, word.find('='));
  }
  return names.empty() ? "there are more words than this command takes" : "unknown here:" + names;
}

// CLI11 takes the next word for the value of "--name=", another flag as well, which would be gone then.
std::optional<std::string> flag_without_value(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--") return std::nullopt;
    if (word.starts_with("--") && word.find('=') == word.size() - 1) return std::string(word);
  }
  return std::nullopt;
}

}  // namespace

std::optional<EarlyExit> parse_command_line(CLI::App& app, int argc, const char* const* argv, int mistake_code) {
  if (const auto flag = flag_without_value(argc, argv)) {
    return EarlyExit{mistake_code, *flag + " has no value: see " + app.get_name() + " --help"};
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return EarlyExit{0, app.help()};
  } catch (const CLI::CallForVersion& version) {
    return EarlyExit{0, std::string(version.what()) + "\n"};
  } catch (const CLI::ExtrasError&) {
    return EarlyExit{mistake_code, unknown_words(app) + ": see " + app.get_name() + " --help"};
  } catch (const CLI::ParseError& error) {
    return EarlyExit{mistake_code, std::string(error.what()) + ": see " + app.get_name() + " --help"};
  }
  return std::nullopt;
}

void add_words(CLI::App& app, std::initializer_list<WordFlag> flags, const char* group) {
  for (const WordFlag& each : flags) {
    CLI::Option* const option = app.add_option(each.flag, each.word, each.help)->envname(each.variable);
    if (group != nullptr) option->group(group);
  }
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
