#include "tools/bench/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <thread>

namespace fireline::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPoll{5};      // how often a child is looked at
constexpr milliseconds kGrace{3000};  // between SIGTERM and SIGKILL
constexpr int kNotFound = 127;        // the shell's exit codes, for want of better ones
constexpr int kNoNamespace = 126;
constexpr std::size_t kOutputBytesMax = 16 << 20;  // iperf3's JSON of a minute is below one MiB

std::atomic<bool> interrupted{false};

io::FileDescriptor memory_file(const char* name, const std::string& content = {}) {
  io::FileDescriptor file(memfd_create(name, MFD_CLOEXEC));
  if (!file) throw BenchError(fmt::format("cannot create a memory file: {}", std::strerror(errno)));
  if (!content.empty() && write(file.get(), content.data(), content.size()) < 0) {
    throw BenchError("cannot fill a memory file");
  }
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::string content_of(int descriptor) {
  std::string text;
  std::array<char, 65536> chunk;
  while (text.size() < kOutputBytesMax) {
    const ssize_t got = pread(descriptor, chunk.data(), chunk.size(), static_cast<off_t>(text.size()));
    if (got <= 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::string last_lines(const std::string& text, std::size_t bytes = 600) {
  std::string tail = text.size() > bytes ? "…" + text.substr(text.size() - bytes) : text;
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  return tail;
}

}  // namespace

void watch_interrupts() {
  struct sigaction action{};
  action.sa_handler = [](int) { interrupted.store(true); };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void check_interrupt() {
  if (interrupted.exchange(false)) throw Interrupted();
}

void pause_for(milliseconds time) {
  const auto end = Clock::now() + time;
  do {
    check_interrupt();
    std::this_thread::sleep_for(std::min<Clock::duration>(milliseconds(20), end - Clock::now()));
  } while (Clock::now() < end);
}

Child::Child(const Command& command)
    : name_(command.words.front()), output_(memory_file("stdout")), error_output_(memory_file("stderr")) {
  const io::FileDescriptor input = command.input.empty() ? io::FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC))
                                                         : memory_file("stdin", command.input);
  io::FileDescriptor network;
  if (!command.network_namespace.empty()) {
    network = io::FileDescriptor(open(("/run/netns/" + command.network_namespace).c_str(), O_RDONLY | O_CLOEXEC));
    if (!network) throw BenchError(fmt::format("no network namespace {}", command.network_namespace));
  }
  // Everything that allocates happens before the fork: threads of the generators may hold the heap's lock.
  std::vector<std::string> words = command.words;
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<std::string> variables;
  for (const auto& [key, value] : command.environment) variables.push_back(key + "=" + value);

  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw BenchError(fmt::format("cannot start {}: {}", name_, std::strerror(errno)));
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(kNotFound);
    // A terminal's interrupt reaches the whole group: the owner alone decides when a child ends.
    setpgid(0, 0);
    dup2(input.get(), STDIN_FILENO);
    dup2(output_.get(), STDOUT_FILENO);
    dup2(error_output_.get(), STDERR_FILENO);
    if (network && setns(network.get(), CLONE_NEWNET) != 0) _exit(kNoNamespace);
    for (std::string& variable : variables) putenv(variable.data());
    execvp(arguments[0], arguments.data());
    _exit(kNotFound);
  }
}

Child::Child(Child&& other) noexcept
    : name_(std::move(other.name_)),
      pid_(std::exchange(other.pid_, -1)),
      exit_code_(other.exit_code_),
      output_(std::move(other.output_)),
      error_output_(std::move(other.error_output_)) {}

Child::~Child() {
  stop();
}

bool Child::ended() {
  if (pid_ < 0) return true;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
  pid_ = -1;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

void Child::wait(milliseconds at_most) {
  const auto deadline = Clock::now() + at_most;
  while (!ended()) {
    if (Clock::now() >= deadline) {
      throw BenchError(fmt::format("{} took longer than {} s", name_, at_most.count() / 1000));
    }
    pause_for(kPoll);
  }
  if (exit_code_ == kNotFound) throw BenchError(fmt::format("{} not found: run tools/setup", name_));
}

void Child::stop() noexcept {
  if (ended()) return;
  kill(pid_, SIGTERM);
  const auto deadline = Clock::now() + kGrace;
  while (!ended()) {
    if (Clock::now() >= deadline) kill(pid_, SIGKILL);
    std::this_thread::sleep_for(kPoll);
  }
}

std::string Child::output() const {
  return content_of(output_.get());
}
std::string Child::error_output() const {
  return content_of(error_output_.get());
}

std::string run(const Command& command, milliseconds at_most) {
  Child child(command);
  child.wait(at_most);
  if (child.exit_code() != 0) {
    throw BenchError(fmt::format("`{}` ended with {}: {}", fmt::join(command.words, " "), child.exit_code(),
                                 last_lines(child.error_output() + child.output())));
  }
  return child.output();
}

std::string run_in(const std::string& network_namespace, const std::string& line) {
  Command command{{}, network_namespace, {}, {}};
  std::istringstream stream(line);
  for (std::string word; stream >> word;) command.words.push_back(word);
  return run(command);
}

}  // namespace fireline::bench
