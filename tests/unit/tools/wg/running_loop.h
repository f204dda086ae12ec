// A loop that turns on a thread of its own, so that a test can be a client. The loop's objects belong to that thread
// while it runs: touch them before start() and after stop().
#pragma once
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "io/event_loop.h"

namespace fireline::wg {

class RunningLoop {
 public:
  RunningLoop() {
    (void)loop_->watch(wake_.get(), EPOLLIN, [this](io::EventLoop::Events) {
      eventfd_t ignored = 0;
      eventfd_read(wake_.get(), &ignored);
      loop_->stop();
    });
  }
  ~RunningLoop() { stop(); }

  io::EventLoop& operator*() noexcept { return *loop_; }
  void start() {
    thread_ = std::thread([this] { loop_->run(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    eventfd_write(wake_.get(), 1);
    thread_.join();
  }

 private:
  std::unique_ptr<io::EventLoop> loop_ = io::EventLoop::make().value();
  io::FileDescriptor wake_{eventfd(0, EFD_CLOEXEC)};
  std::thread thread_;
};

struct CommandResult {
  int code = -1;
  std::string text;  // both streams
};

// Through the shell; at most a minute, which is long even where other tests have the cores.
inline CommandResult run_shell(const std::string& command) {
  CommandResult result;
  std::FILE* pipe = popen(("timeout 60 sh -c '" + command + "' 2>&1").c_str(), "re");
  if (pipe == nullptr) return result;
  std::array<char, 4096> chunk;
  for (auto bytes = fread(chunk.data(), 1, chunk.size(), pipe); bytes > 0;
       bytes = fread(chunk.data(), 1, chunk.size(), pipe)) {
    result.text.append(chunk.data(), bytes);
  }
  const int status = pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

}  // namespace fireline::wg
