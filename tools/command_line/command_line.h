// What every program's command line does alike, behind CLI11: --help, --version, and mistakes in one sentence.
// Threads: parse before any is started (CLI11 reads the environment).
#pragma once
#include <initializer_list>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace fireline {

// What a program does instead of running: print and leave.
struct EarlyExit {
  int code = 0;
  std::string text;  // for standard output when the code is 0 (--help, --version), else one sentence for standard error
};

// Fills the variables that the options name. Empty: run. `mistake_code`: of the exit behind a mistake. "--name="
// without a value is one; who wants an empty value writes --name "".
[[nodiscard]] std::optional<EarlyExit> parse_command_line(CLI::App& app, int argc, const char* const* argv,
                                                          int mistake_code = 1);

// Flags that take a word, and the variable that says the same; the flag wins.
struct WordFlag {
  const char* flag = nullptr;
  std::string& word;
  const char* help = nullptr;
  const char* variable = nullptr;
};
// `group`: the heading that they stand under in --help; null: "Options"; empty: they are not shown.
void add_words(CLI::App& app, std::initializer_list<WordFlag> flags, const char* group = nullptr);

// Prints it; the error gets the program's name in front. The exit code.
[[nodiscard]] int leave(const EarlyExit& exit, const char* program);

}  // namespace fireline
