#include "io/websocket_client.h"

#include "io/loop_mailbox.h"
#include "io/websocket_client_session.h"
#include "io/websocket_thread.h"
#include "io/websocket_tls.h"

namespace fireline::io {

class WebSocketClient::Impl {
 public:
  Impl(std::unique_ptr<LoopMailbox> mailbox, WebSocketTls tls, WebSocketCallbacks callbacks)
      : tls_(std::move(tls)), thread_("websocket"), mailbox_(std::move(mailbox)), callbacks_(std::move(callbacks)) {
    thread_.start();
  }
  ~Impl() { thread_.stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void connect(WebSocketRequest request);
  bool send(std::string_view message);
  void close();
  void drop();
  [[nodiscard]] bool is_open() const noexcept { return pipe_ != nullptr && !closing_; }

 private:
  // Runs `act` on the loop's thread unless its connection was replaced in the meantime.
  template <class Act>
  void tell(std::uint64_t connection, Act act) {
    mailbox_->post([this, connection, act = std::move(act)]() mutable {
      if (connection == connection_) act();
    });
  }
  void forget();

  // Destroyed from the last to the first: letters that nobody read hold connections, which need the thread's context.
  WebSocketTls tls_;
  WebSocketThread thread_;
  std::unique_ptr<LoopMailbox> mailbox_;
  WebSocketCallbacks callbacks_;
  std::shared_ptr<ClientSession> session_;
  std::shared_ptr<WebSocketPipe> pipe_;  // of an open connection
  bool closing_ = false;
  std::uint64_t connection_ = 0;  // counts them; what an earlier one still has to say is not heard
};

void WebSocketClient::Impl::forget() {
  ++connection_;
  session_.reset();
  pipe_.reset();
  closing_ = false;
}

void WebSocketClient::Impl::connect(WebSocketRequest request) {
  drop();
  const auto connection = connection_;
  session_ = std::make_shared<ClientSession>(
      thread_.context(), tls_, std::move(request),
      ClientSession::Events{.opened =
                                [this, connection](std::shared_ptr<WebSocketPipe> pipe) {
                                  tell(connection, [this, pipe = std::move(pipe)] {
                                    pipe_ = pipe;
                                    callbacks_.opened();
                                  });
                                },
                            .message =
                                [this, connection](SecretBuffer message) {
                                  tell(connection, [this, message = std::move(message)] {
                                    const auto pipe = pipe_;
                                    callbacks_.text(view(message));
                                    pipe->delivered(message.size());
                                  });
                                },
                            .sent =
                                [this, connection] {
                                  tell(connection, [this] {
                                    if (callbacks_.sent) callbacks_.sent();
                                  });
                                },
                            .closed =
                                [this, connection](WebSocketClosed closed) {
                                  tell(connection, [this, closed = std::move(closed)] {
                                    forget();
                                    callbacks_.closed(closed);
                                  });
                                }});
  session_->start();
}

bool WebSocketClient::Impl::send(std::string_view message) {
  if (!is_open()) return false;
  OutgoingText text(SecretBuffer(message.begin(), message.end()));
  if (!pipe_->reserve(text)) return false;
  boost::asio::post(thread_.context(),
                    [pipe = pipe_, text = std::move(text)]() mutable { pipe->queue(std::move(text)); });
  return true;
}

void WebSocketClient::Impl::close() {
  if (!session_) return;
  closing_ = true;
  session_->close();
}

void WebSocketClient::Impl::drop() {
  if (session_) session_->drop();
  forget();
}

Result<std::unique_ptr<WebSocketClient>, std::string> WebSocketClient::make(EventLoop& loop,
                                                                            const WebSocketClientOptions& options,
                                                                            WebSocketCallbacks callbacks) {
  auto mailbox = LoopMailbox::make(loop);
  if (!mailbox) return err("cannot make the WebSocket's mailbox: " + mailbox.error().message());
  auto tls = WebSocketTls::make_client(options.ca_file);
  if (!tls) return err(std::move(tls.error()));
  return std::unique_ptr<WebSocketClient>(
      new WebSocketClient(std::make_unique<Impl>(std::move(*mailbox), std::move(*tls), std::move(callbacks))));
}

WebSocketClient::WebSocketClient(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

WebSocketClient::~WebSocketClient() = default;

void WebSocketClient::connect(WebSocketRequest request) {
  impl_->connect(std::move(request));
}

bool WebSocketClient::send(std::string_view message) {
  return impl_->send(message);
}

void WebSocketClient::close() {
  impl_->close();
}

void WebSocketClient::drop() {
  impl_->drop();
}

bool WebSocketClient::is_open() const noexcept {
  return impl_->is_open();
}

}  // namespace fireline::io
