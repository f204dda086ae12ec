#include "io/websocket_thread.h"

#include <pthread.h>

#include "io/blocked_signals.h"

namespace fireline::io {

WebSocketThread::WebSocketThread(std::string name) : name_(std::move(name)), work_(context_.get_executor()) {}

void WebSocketThread::start() {
  const BlockedSignals inherited;
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), name_.c_str());
    context_.run();
  });
}

void WebSocketThread::stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace fireline::io
