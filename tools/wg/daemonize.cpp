#include "tools/wg/daemonize.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace fireline::wg {
namespace {

// First byte through the pipe; a sentence follows a failure.
constexpr char kReady = 'R';
constexpr char kFailed = 'F';
constexpr std::size_t kSentenceBytesMax = 4096;  // the pipe takes it in one piece

void write_all(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const auto bytes = ::write(fd, text.data(), text.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) return;  // nobody listens any more
    text.remove_prefix(static_cast<std::size_t>(bytes));
  }
}

// Whoever waits for the end of our standard output (a shell's $(…), a supervisor) must not wait for the daemon's.
// The same holds for any other descriptor of theirs, a lock for example.
std::optional<std::string> detach(int pipe) {
  if (::setsid() < 0) return fmt::format("cannot open a session: {}", std::strerror(errno));
  if (::chdir("/") != 0) return fmt::format("cannot go to /: {}", std::strerror(errno));
  io::FileDescriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return fmt::format("cannot open /dev/null: {}", std::strerror(errno));
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(null.get(), stream) < 0) return fmt::format("cannot close a stream: {}", std::strerror(errno));
  }
  null.reset();
  const auto kept = static_cast<unsigned>(pipe);
  if (kept > STDERR_FILENO + 1) ::close_range(STDERR_FILENO + 1, kept - 1, 0);
  ::close_range(kept + 1, ~0U, 0);
  return std::nullopt;
}

std::string read_to_end(int fd) {
  std::string text;
  std::array<char, 512> chunk;
  while (text.size() <= kSentenceBytesMax) {
    const auto bytes = ::read(fd, chunk.data(), chunk.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(bytes));
  }
  return text;
}

ParentExit wait_for_child(pid_t child, const io::FileDescriptor& pipe) {
  const auto verdict = read_to_end(pipe.get());
  if (verdict.starts_with(kReady)) return {0, {}};
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (verdict.starts_with(kFailed)) return {1, verdict.substr(1)};
  if (WIFSIGNALED(status)) {
    return {1, fmt::format("the background process was ended during its start by signal {} ({})", WTERMSIG(status),
                           strsignal(WTERMSIG(status)))};
  }
  return {1, "the background process ended during its start: run with -f to see why"};
}

}  // namespace

void fill_standard_streams() noexcept {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free number is this one, for those below are taken by now.
    if (::fcntl(stream, F_GETFD) < 0) (void)::open("/dev/null", O_RDWR);
  }
}

void StartNotice::ready() noexcept {
  if (!background_) return;
  write_all(pipe_.get(), std::string_view(&kReady, 1));
  pipe_.reset();
}

void StartNotice::failed(std::string_view sentence) noexcept {
  sentence = sentence.substr(0, kSentenceBytesMax);
  if (background_) {
    write_all(pipe_.get(), std::string_view(&kFailed, 1));
    write_all(pipe_.get(), sentence);
    pipe_.reset();
  } else {
    write_all(STDERR_FILENO, "fireline-wg: ");
    write_all(STDERR_FILENO, sentence);
    write_all(STDERR_FILENO, "\n");
  }
}

Result<Fork, std::string> fork_to_background() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return err(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  io::FileDescriptor read_end(ends[0]);
  io::FileDescriptor write_end(ends[1]);
  // Buffered output would be written by both.
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return err(fmt::format("cannot start the background process: {}", std::strerror(errno)));
  if (child > 0) {
    write_end.reset();
    return Fork{.parent = wait_for_child(child, read_end), .notice = {}};
  }
  read_end.reset();
  const int pipe = write_end.get();
  StartNotice notice(std::move(write_end));
  if (const auto wrong = detach(pipe)) {
    notice.failed(*wrong);
    ::_exit(1);
  }
  return Fork{.parent = std::nullopt, .notice = std::move(notice)};
}

}  // namespace fireline::wg
