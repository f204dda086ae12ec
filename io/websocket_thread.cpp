#include "io/websocket_thread.h"

#include <pthread.h>

#include <csignal>

namespace fireline::io {

WebSocketThread::WebSocketThread(std::string name) : name_(std::move(name)), work_(context_.get_executor()) {}

void WebSocketThread::start() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), name_.c_str());
    context_.run();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void WebSocketThread::stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace fireline::io
