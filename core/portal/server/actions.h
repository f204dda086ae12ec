// What the control plane wants done with connections, in the order in which it must be done.
// Lifetime: values. Threads: the owner's.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace fireline::portal {

// Names a connection for as long as the process lives.
enum class ConnectionId : std::uint64_t { none = 0 };

struct SendText {
  ConnectionId to = ConnectionId::none;
  std::string text;  // may hold keys of flows and credentials of relays: never logged
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
using Action = std::variant<SendText, CloseConnection, LogLine>;

// Drained after each input; its length is bounded by what one input can cause (a policy change: a few messages for
// each connection and changed resource).
class Actions {
 public:
  void send(ConnectionId to, std::string text) { queue_.emplace_back(SendText{to, std::move(text)}); }
  void close(ConnectionId id) { queue_.emplace_back(CloseConnection{id}); }
  void log(std::string text) { queue_.emplace_back(LogLine{false, std::move(text)}); }
  void warn(std::string text) { queue_.emplace_back(LogLine{true, std::move(text)}); }

  [[nodiscard]] std::optional<Action> poll() {
    if (queue_.empty()) return std::nullopt;
    std::optional<Action> action(std::move(queue_.front()));
    queue_.pop_front();
    return action;
  }

 private:
  std::deque<Action> queue_;
};

}  // namespace fireline::portal
