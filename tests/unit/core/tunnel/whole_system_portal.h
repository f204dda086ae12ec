// The real control plane at the far end of lines on a virtual clock: logins, frames and ends of connections take 10 ms
// each way and keep their order. Its process can end and start again with the same store.
// Lifetime: queue and callers outlive it. Threads: one.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/portal/server/control_plane.h"
#include "core/portal/server/control_plane_state.h"
#include "tests/sim/event_queue.h"
#include "tests/unit/core/portal/server/map_store.h"

namespace fireline::tunnel::test {

inline constexpr Duration kPortalDelay = std::chrono::milliseconds(10);

// Who has a connection to the portal. Of connections that it has given up it may still hear.
class PortalCaller {
 public:
  virtual ~PortalCaller() = default;
  virtual void on_opened(portal::ConnectionId id) = 0;
  virtual void on_refused(portal::ConnectionId id, const portal::Refusal& refusal) = 0;
  virtual void on_text(portal::ConnectionId id, std::string_view text) = 0;
  virtual void on_closed(portal::ConnectionId id) = 0;
};

class PortalHost {
 public:
  PortalHost(sim::EventQueue& queue, policy::Document document);

  // The process, and its end without a word: connections break, new ones are refused.
  void start();
  void kill();
  [[nodiscard]] bool is_running() const noexcept { return plane_ != nullptr; }
  void set_policy(policy::Document document);
  void revoke(std::string_view token);

  // `name` is for `told` alone.
  portal::ConnectionId connect(PortalCaller& caller, std::string name, std::string target, std::string user_agent);
  void send(portal::ConnectionId from, std::string text);
  void hang_up(portal::ConnectionId id);

  [[nodiscard]] std::optional<Instant> poll_timeout() const;
  void handle_timeout();
  [[nodiscard]] Now now() const;
  [[nodiscard]] std::uint64_t count(portal::PortalCounter counter) const { return plane_->counters().get(counter); }

  // "alice < flow_created": every push, in the order in which it was sent.
  std::vector<std::string> told;
  [[nodiscard]] std::size_t count_told(std::string_view line) const;
  portal::MapStore store;
  portal::MapGrants grants;

 private:
  struct Line {
    PortalCaller* caller = nullptr;
    std::string name;
    bool admitted = false;
  };
  void log_in(portal::ConnectionId id, const std::string& target, const std::string& user_agent);
  void drain();
  void deliver(portal::ConnectionId to, const std::string& text);
  void close(portal::ConnectionId id);

  sim::EventQueue& queue_;
  portal::ScriptedRandom random_;
  std::shared_ptr<const policy::Document> document_;
  std::unique_ptr<portal::ControlPlane> plane_;
  std::map<portal::ConnectionId, Line> lines_;
  std::uint64_t next_id_ = 1;
};

}  // namespace fireline::tunnel::test
