// A small control plane without I/O: logins, the three kinds of channels, one policy. Source: portal specification 6.
//
//   upgrade request → admit() → connection → text()… → closed();  behind some inputs commit(), then drain poll_action()
//
// Lifetime: store, grant store and random outlive it. Threads: one. Time: each input carries it; handle_timeout() at
// poll_timeout() or later. Idle connections are the transport's to close, after idle_timeout(). Limits: kConnectionsMax
// and those of the parts. Errors: a login that fails is a Refusal; what a connection sends never ends it.
#pragma once
#include <memory>
#include <optional>
#include <string_view>

#include "core/base/counters.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "core/crypto/random.h"
#include "core/policy/document.h"
#include "core/portal/role.h"
#include "core/portal/server/actions.h"
#include "core/portal/server/control_plane_status.h"
#include "core/portal/server/login.h"
#include "core/portal/server/refusal.h"

namespace fireline::portal {

class GrantStore;
class Store;
struct ControlPlaneState;
struct ProgramFrame;
struct Session;
enum class PortalCounter : std::uint8_t;

// 1.10: heartbeats come every 30 s; clients sleep.
[[nodiscard]] constexpr Duration idle_timeout(Role role) noexcept {
  switch (role) {
    case Role::client:
      return std::chrono::seconds(307);
    case Role::gateway:
      return std::chrono::seconds(37);
    case Role::relay:
      break;
  }
  return std::chrono::seconds(41);
}

// Conditions that time changes are looked at this often, and at the second when one ends.
inline constexpr Duration kReviewEvery = std::chrono::seconds(60);

class ControlPlane {
 public:
  ControlPlane(std::shared_ptr<const policy::Document> document, Store& store, GrantStore& grants,
               crypto::Random& random, Now now);
  ~ControlPlane();
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  // On success the connection `id` exists, and closed() is owed. Its answer waits for commit().
  [[nodiscard]] Result<Role, Refusal> admit(ConnectionId id, const LoginRequest& request, Now now);
  // Ignored for connections that are not known.
  void text(ConnectionId id, std::string_view frame, Now now);
  void closed(ConnectionId id, Now now);

  void set_policy(std::shared_ptr<const policy::Document> document, Now now);
  // Somebody changed tokens in the store.
  void tokens_changed(Now now);

  // Who does not read is not sent what may be lost. Not called before the first input behind this.
  void set_unsent_bytes(UnsentBytes unsent_bytes) noexcept;

  // Makes durable what the inputs since the last call stored. Answers to admit() and actions leave behind it. False:
  // the devices that were admitted meanwhile are not stored: close their connections, and refuse them as temporary.
  [[nodiscard]] bool commit();

  void handle_timeout(Now now);
  [[nodiscard]] Instant poll_timeout() const noexcept;
  [[nodiscard]] std::optional<Action> poll_action();
  // Of the frames that poll_action() will give, without those that are shared.
  [[nodiscard]] std::size_t pending_bytes() const noexcept;

  [[nodiscard]] ControlPlaneStatus status(Now now) const;
  [[nodiscard]] const Counters<PortalCounter>& counters() const noexcept;

 private:
  void joined(Session& session, const ProgramFrame& frame, Now now);
  void left(Session& session, Now now);
  void message(Session& session, const ProgramFrame& frame, Now now);
  void plan_review(Now now);

  std::unique_ptr<ControlPlaneState> state_;
  Instant next_review_;
};

}  // namespace fireline::portal
