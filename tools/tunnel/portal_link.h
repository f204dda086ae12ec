// The portal's channel on a WebSocket, for a program's control thread: what portal::Channel decides, it does.
//
// The host is resolved once, when the channel asks for the first time and no tunnel takes names over, and pinned: later
// connections use the same addresses. Lifetime: loop and random outlive it. Threads: the loop's. No token in any line.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/portal/channel.h"
#include "io/event_loop.h"
#include "io/websocket_client.h"
#include "tools/tunnel/portal_port.h"

namespace fireline::tunnel {

struct PortalLinkOptions {
  portal::PortalUrl url;
  portal::LoginIdentity identity;
  std::string user_agent;
  std::string ca_file;
  std::uint32_t mark = 0;
  std::optional<Duration> give_up_after;  // empty: never
};

class PortalLink final : public PortalPort {
 public:
  struct Handlers {
    std::move_only_function<void(std::string_view event, std::string_view payload)> message;
    std::move_only_function<void(std::string)> fatal;  // a sentence
  };
  // The error is one sentence.
  [[nodiscard]] static Result<std::unique_ptr<PortalLink>, std::string> open(io::EventLoop& loop,
                                                                             crypto::Random& random,
                                                                             PortalLinkOptions options,
                                                                             Handlers handlers);
  ~PortalLink() override;
  PortalLink(const PortalLink&) = delete;
  PortalLink& operator=(const PortalLink&) = delete;

  void start();
  // With a close frame, if there is a connection.
  void stop();

  void send(const portal::MessageText& message) override;
  void ask_for_relays() override;
  void log_in(const crypto::PublicKey& key) override;

  [[nodiscard]] const portal::Channel& channel() const noexcept { return channel_; }

 private:
  PortalLink(io::EventLoop& loop, crypto::Random& random, PortalLinkOptions options, Handlers handlers);
  void drain();
  void act(portal::Resolve& action);
  void act(portal::Connect& action);
  void act(portal::SendText& action);
  void act(portal::Drop& action);
  void act(portal::CloseGracefully& action);
  void act(portal::Joined& action);
  void act(portal::Lost& action);
  void act(portal::Message& action);
  void act(portal::Fatal& action);
  void on_closed(const io::WebSocketClosed& closed);
  [[nodiscard]] portal::LoginUrl login_url() const { return {options_.url, options_.identity}; }

  io::EventLoop& loop_;
  PortalLinkOptions options_;
  Handlers handlers_;
  portal::Channel channel_;
  std::unique_ptr<io::WebSocketClient> socket_;
  std::vector<IpAddress> addresses_;
  io::EventLoop::Id timer_ = io::EventLoop::Id::none;
  bool draining_ = false;
};

}  // namespace fireline::tunnel
