// Child processes of the benchmark: started in a network namespace, known by their pid, ended with their owner.
// Output goes to a memory file, so that no child ever waits on a reader. One thread.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "io/file_descriptor.h"

namespace fireline::bench {

// One sentence for the person; main prints it and ends with exit code 1.
class BenchError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
// SIGINT or SIGTERM came; guards clean up on the way out.
class Interrupted : public BenchError {
 public:
  Interrupted() : BenchError("interrupted") {}
};

// Installs the handlers of SIGINT and SIGTERM; from then on check_interrupt() throws once one came.
void watch_interrupts();
void check_interrupt();
// Sleeps in short steps; throws Interrupted.
void pause_for(std::chrono::milliseconds time);

struct Command {
  std::vector<std::string> words;                                // the program first, looked up in PATH
  std::string network_namespace;                                 // empty: the caller's
  std::vector<std::pair<std::string, std::string>> environment;  // added to the caller's
  std::string input;                                             // standard input; empty: /dev/null
};

class Child {
 public:
  // Throws BenchError ("iperf3 not found: run tools/setup").
  explicit Child(const Command& command);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  // SIGTERM, and SIGKILL for who does not end within three seconds.
  ~Child();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  // True once it has ended; exit_code() is valid from then on.
  [[nodiscard]] bool ended();
  // Throws BenchError when it takes longer, Interrupted on a signal.
  void wait(std::chrono::milliseconds at_most);
  void stop() noexcept;
  [[nodiscard]] int exit_code() const noexcept { return exit_code_; }
  // All that it has written so far.
  [[nodiscard]] std::string output() const;
  [[nodiscard]] std::string error_output() const;

 private:
  std::string name_;
  pid_t pid_ = -1;
  int exit_code_ = -1;
  io::FileDescriptor output_;
  io::FileDescriptor error_output_;
};

// Runs to the end and gives the standard output; throws BenchError on another exit code than 0 or after `at_most`.
std::string run(const Command& command, std::chrono::milliseconds at_most = std::chrono::seconds(10));
// The same for words that stand in one line, split at spaces; without a name in the caller's namespace.
std::string run_in(const std::string& network_namespace, const std::string& line);

}  // namespace fireline::bench
