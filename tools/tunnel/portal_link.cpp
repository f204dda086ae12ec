#include "tools/tunnel/portal_link.h"

#include <netdb.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "io/loop_thread.h"
#include "io/socket_address.h"

namespace fireline::tunnel {
namespace {

std::vector<IpAddress> resolve(const portal::PortalUrl& url) {
  if (url.address()) return {*url.address()};
  const addrinfo hints{.ai_flags = AI_ADDRCONFIG,
                       .ai_family = AF_UNSPEC,
                       .ai_socktype = SOCK_STREAM,
                       .ai_protocol = 0,
                       .ai_addrlen = 0,
                       .ai_addr = nullptr,
                       .ai_canonname = nullptr,
                       .ai_next = nullptr};
  addrinfo* list = nullptr;
  if (::getaddrinfo(url.host().c_str(), nullptr, &hints, &list) != 0) return {};
  std::vector<IpAddress> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ai_addr, std::min<std::size_t>(entry->ai_addrlen, sizeof storage));
    const auto endpoint =
        io::to_endpoint(storage, entry->ai_addrlen, entry->ai_family == AF_INET ? Family::v4 : Family::v6);
    if (endpoint && std::ranges::find(addresses, endpoint->address) == addresses.end()) {
      addresses.push_back(endpoint->address);
    }
  }
  ::freeaddrinfo(list);
  return addresses;
}

}  // namespace

Result<std::unique_ptr<PortalLink>, std::string> PortalLink::open(io::EventLoop& loop, crypto::Random& random,
                                                                  PortalLinkOptions options, Handlers handlers) {
  std::unique_ptr<PortalLink> self(new PortalLink(loop, random, std::move(options), std::move(handlers)));
  auto* const link = self.get();
  auto socket = io::WebSocketClient::make(loop, {.ca_file = link->options_.ca_file},
                                          {.opened =
                                               [link] {
                                                 link->channel_.opened(io::read_clocks());
                                                 link->drain();
                                               },
                                           .text =
                                               [link](std::string_view text) {
                                                 link->channel_.text(io::read_clocks(), text);
                                                 link->drain();
                                               },
                                           .closed =
                                               [link](const io::WebSocketClosed& closed) {
                                                 link->on_closed(closed);
                                                 link->drain();
                                               }});
  if (!socket) return err(std::move(socket.error()));
  self->socket_ = std::move(*socket);
  return self;
}

PortalLink::PortalLink(io::EventLoop& loop, crypto::Random& random, PortalLinkOptions options, Handlers handlers)
    : loop_(loop),
      options_(std::move(options)),
      handlers_(std::move(handlers)),
      channel_({.role = options_.identity.role, .give_up_after = options_.give_up_after}, random) {}

PortalLink::~PortalLink() {
  loop_.cancel(timer_);
}

void PortalLink::start() {
  channel_.start(io::read_clocks(), login_url());
  drain();
}

void PortalLink::stop() {
  channel_.stop(io::read_clocks(), true);
  drain();
}

void PortalLink::send(const portal::MessageText& message) {
  channel_.send(io::read_clocks(), message.event, message.payload);
  drain();
}

void PortalLink::ask_for_relays() {
  channel_.reconnect(io::read_clocks(), login_url());
  drain();
}

void PortalLink::log_in(const crypto::PublicKey& key) {
  options_.identity.public_key = key;
  channel_.reconnect(io::read_clocks(), login_url());
  drain();
}

// Actions may lead to further input: one loop takes all of them.
void PortalLink::drain() {
  if (std::exchange(draining_, true)) return;
  while (auto action = channel_.poll_action()) {
    std::visit([this](auto& one) { act(one); }, *action);
  }
  draining_ = false;
  loop_.cancel(std::exchange(timer_, io::EventLoop::Id::none));
  if (const auto deadline = channel_.poll_timeout()) {
    timer_ = loop_.at(*deadline, [this] {
      channel_.handle_timeout(io::read_clocks());
      drain();
    });
  }
}

void PortalLink::act(portal::Resolve&) {
  if (addresses_.empty()) addresses_ = resolve(options_.url);
  channel_.resolved(io::read_clocks(), !addresses_.empty());
}

void PortalLink::act(portal::Connect& action) {
  const auto& url = action.url.portal();
  if (url.address()) addresses_ = {*url.address()};  // the channel asks for names alone
  io::WebSocketRequest request{.addresses = addresses_,
                               .port = url.port(),
                               .host = url.host(),
                               .tls = url.tls(),
                               .target = {},
                               .user_agent = options_.user_agent,
                               .mark = options_.mark};
  io::append(request.target, action.url.target());
  socket_->connect(std::move(request));
}

void PortalLink::act(portal::SendText& action) {
  if (socket_->send(action.text.view())) {
    channel_.written(io::read_clocks());
  } else {
    socket_->drop();
    channel_.closed(io::read_clocks(), "the portal takes no messages");
  }
}

void PortalLink::act(portal::Drop&) {
  socket_->drop();
}

void PortalLink::act(portal::CloseGracefully&) {
  socket_->close();
}

void PortalLink::act(portal::Joined&) {
  spdlog::info("logged in to {}", options_.url.to_string());
}

void PortalLink::act(portal::Lost& action) {
  spdlog::info("the portal is away: {}; next attempt in {} ms", action.sentence,
               std::chrono::duration_cast<std::chrono::milliseconds>(action.delay).count());
}

void PortalLink::act(portal::Message& action) {
  handlers_.message(action.event, action.payload.view());
}

void PortalLink::act(portal::Fatal& action) {
  handlers_.fatal(action.sentence);
}

void PortalLink::on_closed(const io::WebSocketClosed& closed) {
  const auto now = io::read_clocks();
  if (closed.reason == io::WebSocketEnd::refused) {
    return channel_.http_refused(now, closed.status, closed.body, closed.retry_after);
  }
  channel_.closed(now, closed.sentence, closed.reason == io::WebSocketEnd::bad_certificate);
}

}  // namespace fireline::tunnel
