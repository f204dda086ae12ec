// The relay's connection to its portal: it joins with the stamp secret, so that the portal can hand out credentials
// that this relay checks by itself, and says again and again that it is here. Relaying does not depend on it: it goes
// on while the portal is away, with the same secret, so that credentials handed out before stay good.
//
// Source: relay specification section 3, portal specification 5. Lifetime: loop and random outlive it; made before the
// filter of system calls, for it starts a thread. Threads: the loop's. Errors: open() gives one sentence. The log has
// no token and no secret.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/crypto/random.h"
#include "io/event_loop.h"
#include "relay/protocol/credentials.h"
#include "tools/common/portal_session.h"
#include "tools/relay/options.h"
#include "tools/relay/report.h"

namespace fireline::relay {

// What the portal pushed, beside the channel's own counters.
enum class PortalCounter : std::uint8_t { init, drop_unknown_message, count_ };
[[nodiscard]] std::string_view name_of(PortalCounter counter) noexcept;

class PortalConnection {
 public:
  // `options` has a portal. `fatal`: the relay is to end; not called before start().
  [[nodiscard]] static Result<std::unique_ptr<PortalConnection>, std::string> open(
      io::EventLoop& loop, crypto::Random& random, const RelayOptions& options, const FirezoneCredentials& credentials,
      std::function<void(const std::string& sentence)> fatal);

  void start() { session_->start(); }
  // The portal hands this relay out no more. Nothing comes back.
  void leave() { session_->close(); }
  [[nodiscard]] bool joined() const { return session_->status().joined; }
  void add_to(RelayReport& report, Instant now) const;

 private:
  explicit PortalConnection(std::function<void(const std::string& sentence)> fatal) : fatal_(std::move(fatal)) {}
  void on_message(std::string_view event, std::string_view payload);
  void on_state(bool joined);
  void on_lost(const std::string& sentence, Duration retry_in);

  std::function<void(const std::string& sentence)> fatal_;
  Counters<PortalCounter> counters_;
  std::unique_ptr<PortalSession> session_;
};

}  // namespace fireline::relay
