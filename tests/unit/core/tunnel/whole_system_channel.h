// A program's channel to the portal: what portal::Channel decides, is done on a PortalHost's line.
// Lifetime: the portal outlives it; it is never destroyed while lines may still call. Threads: one.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/portal/channel.h"
#include "core/portal/message_text.h"
#include "tests/unit/core/crypto/seeded_random.h"
#include "tests/unit/core/tunnel/whole_system_portal.h"

namespace fireline::tunnel::test {

class ChannelHost final : public PortalCaller {
 public:
  using OnMessage = std::function<void(std::string_view event, std::string_view payload)>;

  ChannelHost(PortalHost& portal, std::string name, std::string component, OnMessage on_message)
      : portal_(portal), name_(std::move(name)), component_(std::move(component)), on_message_(std::move(on_message)) {}

  // A fresh process; the one before is gone without a word.
  void start(portal::ChannelOptions options, portal::LoginIdentity identity);
  void kill();
  // Likewise, and its connection stays as it is.
  void cut_off() { channel_.reset(); }
  // With a close frame.
  void stop();
  void send(const portal::MessageText& message);
  // Logs in anew, as the identity is.
  void reconnect();

  [[nodiscard]] portal::LoginIdentity& identity() noexcept { return identity_; }
  [[nodiscard]] bool is_joined() const noexcept {
    return channel_ != nullptr && channel_->state() == portal::ChannelState::joined;
  }
  [[nodiscard]] const portal::Channel& channel() const noexcept { return *channel_; }
  // Why the program would have ended; empty: it did not.
  [[nodiscard]] const std::string& fatal() const noexcept { return fatal_; }

  [[nodiscard]] std::optional<Instant> poll_timeout() const;
  void handle_timeout();

  void on_opened(portal::ConnectionId id) override;
  void on_refused(portal::ConnectionId id, const portal::Refusal& refusal) override;
  void on_text(portal::ConnectionId id, std::string_view text) override;
  void on_closed(portal::ConnectionId id) override;

 private:
  [[nodiscard]] Now now() const { return portal_.now(); }
  [[nodiscard]] portal::LoginUrl url() const;
  [[nodiscard]] bool is_current(portal::ConnectionId id) const { return channel_ != nullptr && id == connection_; }
  void drain();
  void act(portal::ChannelAction& action);
  void leave();

  PortalHost& portal_;
  std::string name_;
  std::string component_;
  OnMessage on_message_;
  crypto::SeededRandom random_{11};
  portal::LoginIdentity identity_;
  std::unique_ptr<portal::Channel> channel_;
  portal::ConnectionId connection_ = portal::ConnectionId::none;
  std::string fatal_;
  bool draining_ = false;
};

}  // namespace fireline::tunnel::test
