#include "tools/common/portal_session.h"

#include <fstream>
#include <iterator>
#include <utility>
#include <variant>

namespace fireline {

Result<std::unique_ptr<PortalSession>, std::string> PortalSession::make(io::EventLoop& loop, crypto::Random& random,
                                                                        PortalSessionOptions options,
                                                                        PortalSessionCallbacks callbacks) {
  std::unique_ptr<PortalSession> session(new PortalSession(loop, random, std::move(options), std::move(callbacks)));
  if (auto ready = session->set_up(); !ready) return err(std::move(ready.error()));
  return session;
}

PortalSession::PortalSession(io::EventLoop& loop, crypto::Random& random, PortalSessionOptions options,
                             PortalSessionCallbacks callbacks)
    : loop_(loop),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      channel_({.role = options_.identity.role,
                .join_payload = options_.join_payload,
                .give_up_after = options_.give_up_after},
               random),
      resolver_(loop) {}

PortalSession::~PortalSession() {
  loop_.cancel(timer_);
}

Result<void, std::string> PortalSession::set_up() {
  auto client = io::WebSocketClient::make(loop_, {.ca_file = options_.ca_file},
                                          {.opened =
                                               [this] {
                                                 channel_.opened(loop_.now());
                                                 pump();
                                               },
                                           .text =
                                               [this](std::string_view text) {
                                                 channel_.text(loop_.now(), text);
                                                 pump();
                                               },
                                           .closed = [this](const io::WebSocketClosed& end) { on_closed(end); },
                                           .sent =
                                               [this] {
                                                 channel_.written(loop_.now());
                                                 pump();
                                               }});
  if (!client) return err(std::move(client.error()));
  client_ = std::move(*client);
  return {};
}

void PortalSession::start() {
  channel_.start(loop_.now(), portal::LoginUrl(options_.url, options_.identity));
  pump();
}

void PortalSession::send(std::string_view event, std::string_view payload) {
  channel_.send(loop_.now(), event, payload);
  pump();
}

void PortalSession::reconnect() {
  channel_.reconnect(loop_.now(), portal::LoginUrl(options_.url, options_.identity));
  pump();
}

void PortalSession::reconnect(const crypto::PublicKey& key) {
  options_.identity.public_key = key;
  reconnect();
}

void PortalSession::resume() {
  channel_.resume(loop_.now());
  pump();
}

void PortalSession::close() {
  channel_.stop(loop_.now(), true);
  pump();
}

PortalSessionStatus PortalSession::status() const {
  return {.url = options_.url.to_string(),
          .state = portal::name_of(channel_.state()),
          .joined = channel_.state() == portal::ChannelState::joined,
          .since = channel_.since(),
          .attempts = channel_.counters().get(portal::ChannelCounter::connections),
          .losses = channel_.counters().get(portal::ChannelCounter::losses),
          .last_error = last_error_};
}

// ---- what the channel wants ----

void PortalSession::pump() {
  if (std::exchange(pumping_, true)) return;
  while (auto action = channel_.poll_action()) {
    std::visit([this](auto& what) { act(what); }, *action);
  }
  pumping_ = false;
  const bool joined = channel_.state() == portal::ChannelState::joined;
  arm();
  if (joined != std::exchange(joined_, joined) && callbacks_.state) callbacks_.state(joined);
}

void PortalSession::act(portal::Resolve& wish) {
  std::ifstream file("/etc/resolv.conf");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto servers = options_.dns_servers ? options_.dns_servers() : io::nameservers_in(text);
  const auto take = [this](std::vector<IpAddress> addresses) { take_addresses(std::move(addresses)); };
  if (wish.first || servers.empty()) return resolver_.resolve_system(wish.host, take);
  resolver_.resolve_direct(
      {.host = wish.host, .servers = servers, .search = io::search_list_in(text), .mark = options_.mark}, take);
}

void PortalSession::take_addresses(std::vector<IpAddress> addresses) {
  if (!addresses.empty()) addresses_ = std::move(addresses);
  channel_.resolved(loop_.now(), !addresses_.empty());
  pump();
}

void PortalSession::act(portal::Connect& wish) {
  // The channel asks for no resolution of an address.
  if (const auto& literal = wish.url.portal().address()) addresses_ = {*literal};
  const std::string_view target = wish.url.target();
  client_->connect({.addresses = addresses_,
                    .port = wish.url.portal().port(),
                    .host = wish.url.portal().host(),
                    .tls = wish.url.portal().tls(),
                    .target = io::SecretBuffer(target.begin(), target.end()),
                    .user_agent = options_.user_agent,
                    .mark = options_.mark});
}

void PortalSession::act(portal::SendText& wish) {
  if (client_->send(wish.text.view())) return;
  // One text is in flight at most: a socket that has no room for it is as good as none.
  client_->drop();
  channel_.closed(loop_.now(), "the connection to the portal takes no message");
}

void PortalSession::act(portal::Drop&) {
  client_->drop();
}

void PortalSession::act(portal::CloseGracefully&) {
  client_->close();
}

void PortalSession::act(portal::Joined&) {}

void PortalSession::act(portal::Lost& news) {
  last_error_ = news.sentence;
  if (callbacks_.lost) callbacks_.lost(news.sentence, news.delay);
}

void PortalSession::act(portal::Message& news) {
  callbacks_.message(news.event, news.payload.view());
}

void PortalSession::act(portal::Fatal& news) {
  last_error_ = news.sentence;
  callbacks_.fatal(news.sentence, news.authentication);
}

void PortalSession::on_closed(const io::WebSocketClosed& end) {
  if (end.reason == io::WebSocketEnd::ended) {
    if (callbacks_.closed) callbacks_.closed();
    return;
  }
  if (end.reason == io::WebSocketEnd::refused) {
    std::optional<Duration> retry_after;
    if (end.retry_after) retry_after = *end.retry_after;
    channel_.http_refused(loop_.now(), end.status, end.body, retry_after);
  } else {
    channel_.closed(loop_.now(), end.sentence, end.reason == io::WebSocketEnd::bad_certificate);
  }
  pump();
}

void PortalSession::arm() {
  loop_.cancel(timer_);
  timer_ = io::EventLoop::Id::none;
  const auto deadline = channel_.poll_timeout();
  if (!deadline) return;
  timer_ = loop_.at(*deadline, [this] {
    timer_ = io::EventLoop::Id::none;
    channel_.handle_timeout(loop_.now());
    pump();
  });
}

}  // namespace fireline
