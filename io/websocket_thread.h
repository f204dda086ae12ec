// A thread that runs one Boost.Asio io_context, for libraries that are built on it. Nothing else of fireline uses Asio;
// its users talk to the event loop through io/loop_mailbox.h.
//
// Lifetime: operations that are pending at the end are destroyed with the context, behind the last use of the thread.
// Threads: start() and stop() from the owner's; context() from any, for posting. All signals are blocked in the thread.
#pragma once
#include <utility>  // Boost 1.74's Asio needs it first in C++23

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <thread>

namespace fireline::io {

class WebSocketThread {
 public:
  explicit WebSocketThread(std::string name);  // at most 15 characters, as the kernel shows them
  ~WebSocketThread() { stop(); }
  WebSocketThread(const WebSocketThread&) = delete;
  WebSocketThread& operator=(const WebSocketThread&) = delete;

  [[nodiscard]] boost::asio::io_context& context() noexcept { return context_; }
  void start();
  // Waits for the handler that runs, for no other.
  void stop();

 private:
  std::string name_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace fireline::io
