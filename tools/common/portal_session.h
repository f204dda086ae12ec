// A program's connection to the portal: portal::Channel on an io::WebSocketClient, with an io::Resolver for its name.
// Gateway, client and relay use it alike.
//
// The first resolution is the system's; later ones, behind a loss, ask the DNS servers directly, with the search list
// of /etc/resolv.conf, and an empty answer keeps the addresses that are known (portal specification 1.5, lesson 6).
// Lifetime: loop, random source and callbacks outlive the session. A callback may call everything here, but must not
// destroy the session. Threads: the loop's. Errors: make() gives one sentence. No function blocks; the destructor
// drops. Secrets: identity and join payload wipe themselves; no sentence holds the token.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/crypto/random.h"
#include "core/portal/channel.h"
#include "core/portal/login_url.h"
#include "io/event_loop.h"
#include "io/resolver.h"
#include "io/websocket_client.h"

namespace fireline {

struct PortalSessionOptions {
  portal::PortalUrl url;
  portal::LoginIdentity identity;
  std::string user_agent;
  crypto::SecretText join_payload{"null"};  // relays: portal::write_relay_join()
  std::optional<Duration> give_up_after;    // portal::kGiveUpAfter; empty: never
  std::optional<std::uint32_t> mark;        // of all its sockets
  std::string ca_file;                      // empty: the system's certificates alone
  // Which servers later resolutions ask. Without it: those of /etc/resolv.conf. None at all: the system's resolver.
  std::function<std::vector<Endpoint>()> dns_servers;
};

struct PortalSessionCallbacks {
  std::move_only_function<void(std::string_view event, std::string_view payload)> message;
  // It gave up or was refused for good; nothing follows. `authentication`: the token is not good.
  std::move_only_function<void(const std::string& sentence, bool authentication)> fatal;
  // Joined, or no longer. May be empty.
  std::move_only_function<void(bool joined)> state;
  // After close(): the connection has ended. May be empty.
  std::move_only_function<void()> closed;
  // Each loss, for the log. May be empty.
  std::move_only_function<void(const std::string& sentence, Duration retry_in)> lost;
};

struct PortalSessionStatus {
  std::string url;  // without token
  std::string_view state;
  bool joined = false;
  Instant since{};  // joined, or not
  std::uint64_t attempts = 0;
  std::uint64_t losses = 0;
  std::string last_error;  // empty: none so far
};

class PortalSession {
 public:
  [[nodiscard]] static Result<std::unique_ptr<PortalSession>, std::string> make(io::EventLoop& loop,
                                                                                crypto::Random& random,
                                                                                PortalSessionOptions options,
                                                                                PortalSessionCallbacks callbacks);
  ~PortalSession();
  PortalSession(const PortalSession&) = delete;
  PortalSession& operator=(const PortalSession&) = delete;

  void start();
  // JSON; waits for the next join if need be.
  void send(std::string_view event, std::string_view payload);
  // Connects anew, at once: to be given an `init` with relays, or as somebody with another key.
  void reconnect();
  void reconnect(const crypto::PublicKey& key);
  // The machine slept: connects anew, at once, unless an attempt is under way.
  void resume();
  // With a close frame; over within io::kClosePatience.
  void close();

  [[nodiscard]] PortalSessionStatus status() const;
  [[nodiscard]] const Counters<portal::ChannelCounter>& counters() const noexcept { return channel_.counters(); }

 private:
  PortalSession(io::EventLoop& loop, crypto::Random& random, PortalSessionOptions options,
                PortalSessionCallbacks callbacks);
  [[nodiscard]] Result<void, std::string> set_up();

  // Does what the channel wants and sets the timer; within itself it leaves that to its caller.
  void pump();
  void act(portal::Resolve& wish);
  void act(portal::Connect& wish);
  void act(portal::SendText& wish);
  void act(portal::Drop& wish);
  void act(portal::CloseGracefully& wish);
  void act(portal::Joined& news);
  void act(portal::Lost& news);
  void act(portal::Message& news);
  void act(portal::Fatal& news);
  void take_addresses(std::vector<IpAddress> addresses);
  void on_closed(const io::WebSocketClosed& end);
  void arm();

  io::EventLoop& loop_;
  PortalSessionOptions options_;
  PortalSessionCallbacks callbacks_;
  portal::Channel channel_;
  std::vector<IpAddress> addresses_;
  std::string last_error_;
  bool pumping_ = false;
  bool joined_ = false;
  io::EventLoop::Id timer_ = io::EventLoop::Id::none;
  io::Resolver resolver_;
  std::unique_ptr<io::WebSocketClient> client_;
};

}  // namespace fireline
