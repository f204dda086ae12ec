#include "io/websocket_server.h"

#include <atomic>
#include <boost/asio/post.hpp>
#include <deque>
#include <unordered_map>

#include "io/loop_mailbox.h"
#include "io/websocket_listener.h"
#include "io/websocket_server_connection.h"
#include "io/websocket_thread.h"
#include "io/websocket_tls.h"

namespace fireline::io {
namespace {

// While messages wait for room: so many are tried, so often.
constexpr Duration kReleaseEvery = std::chrono::milliseconds(5);
constexpr std::size_t kReleasedAtOnce = 16;

}  // namespace

class WebSocketServer::Impl {
 public:
  Impl(EventLoop& loop, std::unique_ptr<LoopMailbox> mailbox, std::optional<WebSocketTls> tls,
       const WebSocketServerLimits& limits, WebSocketServerCallbacks callbacks)
      : loop_(loop),
        limits_(limits),
        is_tls_(tls.has_value()),
        tls_(std::move(tls)),
        thread_("websockets"),
        mailbox_(std::move(mailbox)),
        callbacks_(std::move(callbacks)),
        listener_(
            thread_.context(), limits_, counters_,
            [this](WebSocketTransport::Socket socket, const Endpoint& source) { take_in(std::move(socket), source); }) {
  }
  ~Impl() {
    loop_.cancel(release_);
    thread_.stop();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  [[nodiscard]] Result<void, std::string> listen(const std::vector<Endpoint>& endpoints);
  void answer(WebSocketId id, const WebSocketAnswer& answer);
  void send(WebSocketId id, OutgoingText message);
  void close(WebSocketId id);
  void replace(WebSocketTls tls);

  [[nodiscard]] const std::vector<Endpoint>& endpoints() const noexcept { return endpoints_; }
  [[nodiscard]] std::size_t connections() const noexcept { return listener_.connections(); }
  [[nodiscard]] std::size_t unsent_bytes() const noexcept { return load_.unsent.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t unsent_bytes(WebSocketId id) const noexcept {
    const auto found = accepted_.find(id);
    return found == accepted_.end() ? 0 : found->second->unsent_bytes();
  }
  [[nodiscard]] const Counters<WebSocketServerCounter>& counters() const noexcept { return counters_; }

 private:
  using Connection = std::shared_ptr<ServerConnection>;

  void take_in(WebSocketTransport::Socket socket, const Endpoint& source);
  void decide(WebSocketId id, const Connection& connection, const Endpoint& source, const UpgradeText& text);
  void deliver(WebSocketId id, SecretBuffer message);
  void hand_over(WebSocketId id, const SecretBuffer& message);
  void release_later();
  [[nodiscard]] bool is_full() const noexcept { return load_.unsent.load() >= limits_.unsent_bytes; }

  EventLoop& loop_;
  const WebSocketServerLimits limits_;
  Counters<WebSocketServerCounter> counters_;  // the WebSocketThread's
  std::uint64_t last_id_ = 0;                  // the WebSocketThread's
  WebSocketPipe::Load load_;
  // Destroyed from the last to the first: letters that nobody read hold connections, which need the thread's context.
  const bool is_tls_;
  std::optional<WebSocketTls> tls_;  // the WebSocketThread's
  WebSocketThread thread_;
  std::unique_ptr<LoopMailbox> mailbox_;
  WebSocketServerCallbacks callbacks_;
  WebSocketListener listener_;
  std::vector<Endpoint> endpoints_;
  std::unordered_map<WebSocketId, Connection> asked_;     // the loop's: answer() is awaited
  std::unordered_map<WebSocketId, Connection> accepted_;  // the loop's
  // The loop's: messages that wait for room; one of each connection.
  std::deque<std::pair<WebSocketId, SecretBuffer>> waiting_;
  EventLoop::Id release_ = EventLoop::Id::none;
};

Result<void, std::string> WebSocketServer::Impl::listen(const std::vector<Endpoint>& endpoints) {
  for (const Endpoint& endpoint : endpoints) {
    auto bound = listener_.listen(endpoint);
    if (!bound) return err(std::move(bound.error()));
    endpoints_.push_back(*bound);
  }
  listener_.start();
  thread_.start();
  return {};
}

// On the WebSocketThread.
void WebSocketServer::Impl::take_in(WebSocketTransport::Socket socket, const Endpoint& source) {
  const WebSocketId id{++last_id_};
  const auto connection = std::make_shared<ServerConnection>(std::move(socket), limits_, counters_, load_);
  const std::weak_ptr<ServerConnection> weak = connection;  // its own hooks must not keep it
  connection->start(
      tls_ ? &*tls_ : nullptr,
      {.upgrade =
           [this, id, weak, source](UpgradeText text) {
             mailbox_->post([this, id, connection = weak.lock(), source, text = std::move(text)] {
               decide(id, connection, source, text);
             });
           },
       .opened = [this, id] { mailbox_->post([this, id] { callbacks_.opened(id); }); },
       .message =
           [this, id](SecretBuffer message) {
             mailbox_->post([this, id, message = std::move(message)]() mutable { deliver(id, std::move(message)); });
           },
       .closed =
           [this, id](const std::string& sentence) {
             mailbox_->post([this, id, sentence] {
               accepted_.erase(id);
               callbacks_.closed(id, sentence);
             });
           },
       .gone = [this, source] { listener_.leave(source); }});
}

void WebSocketServer::Impl::decide(WebSocketId id, const Connection& connection, const Endpoint& source,
                                   const UpgradeText& text) {
  asked_.emplace(id, connection);
  const auto decision = callbacks_.upgrade({.id = id,
                                            .source = source,
                                            .path = text.path,
                                            .query = view(text.query),
                                            .user_agent = text.user_agent,
                                            .authorization = view(text.authorization),
                                            .tls = is_tls_});
  if (decision) answer(id, *decision);
}

void WebSocketServer::Impl::answer(WebSocketId id, const WebSocketAnswer& answer) {
  const auto asked = asked_.extract(id);
  if (asked.empty()) return;
  if (answer.status == 101) accepted_.emplace(id, asked.mapped());
  asked.mapped()->answer(answer);
}

// What a message asks for may be thousands of times its size: while too much is unsent, nobody may ask.
void WebSocketServer::Impl::deliver(WebSocketId id, SecretBuffer message) {
  if (waiting_.empty() && !is_full()) return hand_over(id, message);
  waiting_.emplace_back(id, std::move(message));
  load_.others_wait.store(true);
  if (waiting_.size() == 1) release_later();
}

void WebSocketServer::Impl::release_later() {
  release_ = loop_.after(kReleaseEvery, [this] {
    for (std::size_t i = 0; i < kReleasedAtOnce && !waiting_.empty() && !is_full(); ++i) {
      const auto [id, message] = std::move(waiting_.front());
      waiting_.pop_front();
      hand_over(id, message);
    }
    if (!waiting_.empty()) return release_later();
    load_.others_wait.store(false);
  });
}

void WebSocketServer::Impl::hand_over(WebSocketId id, const SecretBuffer& message) {
  const auto found = accepted_.find(id);
  if (found == accepted_.end()) return;
  const Connection connection = found->second;
  callbacks_.text(id, view(message));
  connection->delivered(message.size());
}

void WebSocketServer::Impl::send(WebSocketId id, OutgoingText message) {
  const auto found = accepted_.find(id);
  if (found != accepted_.end()) found->second->send(std::move(message));
}

void WebSocketServer::Impl::close(WebSocketId id) {
  const auto found = accepted_.find(id);
  if (found != accepted_.end()) found->second->close();
}

// What a connection has of the old one is counted by OpenSSL, and lives as long as the connection.
void WebSocketServer::Impl::replace(WebSocketTls tls) {
  boost::asio::post(thread_.context(), [this, tls = std::move(tls)]() mutable { tls_ = std::move(tls); });
}

std::string_view name_of(WebSocketServerCounter counter) noexcept {
  switch (counter) {
    case WebSocketServerCounter::accepted:
      return "websocket.accepted";
    case WebSocketServerCounter::upgraded:
      return "websocket.upgraded";
    case WebSocketServerCounter::health:
      return "websocket.health";
    case WebSocketServerCounter::messages_in:
      return "websocket.messages.in";
    case WebSocketServerCounter::messages_out:
      return "websocket.messages.out";
    case WebSocketServerCounter::refused_full:
      return "websocket.refused.full";
    case WebSocketServerCounter::refused_source:
      return "websocket.refused.source";
    case WebSocketServerCounter::refused_request:
      return "websocket.refused.request";
    case WebSocketServerCounter::bad_request:
      return "websocket.bad_request";
    case WebSocketServerCounter::closed_timed_out:
      return "websocket.closed.timed_out";
    case WebSocketServerCounter::closed_idle:
      return "websocket.closed.idle";
    case WebSocketServerCounter::closed_slow:
      return "websocket.closed.slow";
    case WebSocketServerCounter::closed_protocol:
      return "websocket.closed.protocol";
    case WebSocketServerCounter::closed_tls:
      return "websocket.closed.tls";
    case WebSocketServerCounter::count_:
      break;
  }
  return "?";
}

Result<std::unique_ptr<WebSocketServer>, std::string> WebSocketServer::listen(EventLoop& loop,
                                                                              const WebSocketServerOptions& options,
                                                                              WebSocketServerCallbacks callbacks) {
  auto mailbox = LoopMailbox::make(loop);
  if (!mailbox) return err("cannot make the WebSockets' mailbox: " + mailbox.error().message());
  std::optional<WebSocketTls> tls;
  if (!options.certificate_file.empty()) {
    auto made = WebSocketTls::make_server(options.certificate_file, options.key_file);
    if (!made) return err(std::move(made.error()));
    tls = std::move(*made);
  }
  auto impl = std::make_unique<Impl>(loop, std::move(*mailbox), std::move(tls), options.limits, std::move(callbacks));
  if (auto listening = impl->listen(options.endpoints); !listening) return err(std::move(listening.error()));
  return std::unique_ptr<WebSocketServer>(new WebSocketServer(std::move(impl)));
}

WebSocketServer::WebSocketServer(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

WebSocketServer::~WebSocketServer() = default;

void WebSocketServer::answer(WebSocketId id, const WebSocketAnswer& answer) {
  impl_->answer(id, answer);
}

void WebSocketServer::send(WebSocketId id, std::string message) {
  impl_->send(id, OutgoingText(SecretBuffer(message.begin(), message.end())));
}

void WebSocketServer::send(WebSocketId id, std::shared_ptr<const std::string> message) {
  impl_->send(id, OutgoingText(std::move(message)));
}

void WebSocketServer::close(WebSocketId id) {
  impl_->close(id);
}

Result<void, std::string> WebSocketServer::replace_certificate(const std::string& certificate_file,
                                                               const std::string& key_file) {
  auto tls = WebSocketTls::make_server(certificate_file, key_file);
  if (!tls) return err(std::move(tls.error()));
  impl_->replace(std::move(*tls));
  return {};
}

const std::vector<Endpoint>& WebSocketServer::endpoints() const noexcept {
  return impl_->endpoints();
}

std::size_t WebSocketServer::connections() const noexcept {
  return impl_->connections();
}

std::size_t WebSocketServer::unsent_bytes() const noexcept {
  return impl_->unsent_bytes();
}

std::size_t WebSocketServer::unsent_bytes(WebSocketId id) const noexcept {
  return impl_->unsent_bytes(id);
}

const Counters<WebSocketServerCounter>& WebSocketServer::counters() const noexcept {
  return impl_->counters();
}

}  // namespace fireline::io
