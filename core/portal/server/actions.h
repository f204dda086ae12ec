// What the control plane wants done with connections, in the order in which it must be done.
// Lifetime: values. Threads: the owner's.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace fireline::portal {

// Names a connection for as long as the process lives.
enum class ConnectionId : std::uint64_t { none = 0 };

// What the transport has taken for a connection and not sent yet.
using UnsentBytes = std::move_only_function<std::size_t(ConnectionId) const>;

struct SendFrame {
  ConnectionId to = ConnectionId::none;
  std::string text;  // may hold keys of flows and credentials of relays: never logged
  // Instead of `text`: what many get alike. It holds no secret.
  std::shared_ptr<const std::string> shared;
};
// What was sent before is sent first.
struct CloseConnection {
  ConnectionId id = ConnectionId::none;
};
// What an operator would ask: one line each, without secrets.
struct LogLine {
  bool warning = false;
  std::string text;
};
using Action = std::variant<SendFrame, CloseConnection, LogLine>;

// Drained behind each commit; its length is bounded by what one input can cause (a policy change: a few messages for
// each connection and changed resource).
class Actions {
 public:
  void send(ConnectionId to, std::string text) {
    bytes_ += text.size();
    queue_.emplace_back(SendFrame{to, std::move(text), nullptr});
  }
  void send(ConnectionId to, std::shared_ptr<const std::string> shared) {
    queue_.emplace_back(SendFrame{to, {}, std::move(shared)});
  }
  void close(ConnectionId id) { queue_.emplace_back(CloseConnection{id}); }
  void log(std::string text) { queue_.emplace_back(LogLine{false, std::move(text)}); }
  void warn(std::string text) { queue_.emplace_back(LogLine{true, std::move(text)}); }

  [[nodiscard]] std::optional<Action> poll() {
    if (queue_.empty()) return std::nullopt;
    std::optional<Action> action(std::move(queue_.front()));
    queue_.pop_front();
    if (const auto* frame = std::get_if<SendFrame>(&*action)) bytes_ -= frame->text.size();
    return action;
  }
  // Of the texts in it that are not shared.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::deque<Action> queue_;
  std::size_t bytes_ = 0;
};

}  // namespace fireline::portal
