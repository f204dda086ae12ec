// A program's PortalSession as its reactions see it, with a line in the log for each login and each loss.
//
// Lifetime: loop and random outlive it; handlers may call everything here and may not destroy it. Threads: the loop's.
// No token in any line.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tools/common/portal_session.h"
#include "tools/tunnel/portal_port.h"

namespace fireline::tunnel {

class PortalLink final : public PortalPort {
 public:
  struct Handlers {
    std::move_only_function<void(std::string_view event, std::string_view payload)> message;
    std::move_only_function<void(std::string)> fatal;  // a sentence
    std::move_only_function<void()> closed;            // after stop(): the connection that there was has ended
  };
  // The error is one sentence.
  [[nodiscard]] static Result<std::unique_ptr<PortalLink>, std::string> open(io::EventLoop& loop,
                                                                             crypto::Random& random,
                                                                             PortalSessionOptions options,
                                                                             Handlers handlers);

  void start() { session_->start(); }
  // The machine slept: connects anew, for an `init` with relays.
  void resume() { session_->resume(); }
  // With a close frame, if there is a connection.
  void stop() { session_->close(); }

  void send(const portal::MessageText& message) override { session_->send(message.event, message.payload); }
  void ask_for_relays() override { session_->reconnect(); }
  void log_in(const crypto::PublicKey& key) override { session_->reconnect(key); }

  [[nodiscard]] const PortalSession& session() const noexcept { return *session_; }

 private:
  PortalLink() = default;

  std::unique_ptr<PortalSession> session_;
};

}  // namespace fireline::tunnel
