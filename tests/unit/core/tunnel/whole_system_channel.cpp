#include "tests/unit/core/tunnel/whole_system_channel.h"

#include <utility>
#include <variant>

namespace fireline::tunnel::test {

using portal::ConnectionId;

void ChannelHost::start(portal::ChannelOptions options, portal::LoginIdentity identity) {
  kill();
  identity_ = std::move(identity);
  fatal_.clear();
  channel_ = std::make_unique<portal::Channel>(std::move(options), random_);
  channel_->start(now(), url());
  drain();
}

void ChannelHost::kill() {
  leave();
  channel_.reset();
}

void ChannelHost::stop() {
  channel_->stop(now(), true);
  drain();
}

void ChannelHost::send(const portal::MessageText& message) {
  channel_->send(now(), message.event, message.payload);
  drain();
}

void ChannelHost::reconnect() {
  channel_->reconnect(now(), url());
  drain();
}

std::optional<Instant> ChannelHost::poll_timeout() const {
  return channel_ ? channel_->poll_timeout() : std::nullopt;
}

void ChannelHost::handle_timeout() {
  channel_->handle_timeout(now());
  drain();
}

void ChannelHost::on_opened(ConnectionId id) {
  if (!is_current(id)) return;
  channel_->opened(now());
  drain();
}

void ChannelHost::on_refused(ConnectionId id, const portal::Refusal& refusal) {
  if (!is_current(id)) return;
  channel_->http_refused(now(), static_cast<int>(refusal.status), refusal.body);
  drain();
}

void ChannelHost::on_text(ConnectionId id, std::string_view text) {
  if (!is_current(id)) return;
  channel_->text(now(), text);
  drain();
}

void ChannelHost::on_closed(ConnectionId id) {
  if (!is_current(id)) return;
  connection_ = ConnectionId::none;
  channel_->closed(now(), "the connection broke");
  drain();
}

portal::LoginUrl ChannelHost::url() const {
  return {portal::PortalUrl::parse("ws://192.0.2.1:8081").value(), identity_};
}

void ChannelHost::drain() {
  if (std::exchange(draining_, true)) return;
  while (channel_) {
    auto action = channel_->poll_action();
    if (!action) break;
    act(*action);
  }
  draining_ = false;
}

void ChannelHost::act(portal::ChannelAction& action) {
  if (auto* connect = std::get_if<portal::Connect>(&action)) {
    leave();
    connection_ =
        portal_.connect(*this, name_, std::string(connect->url.target()), "Debian/12.0.0 " + component_ + " (x86_64)");
  } else if (auto* text = std::get_if<portal::SendText>(&action)) {
    portal_.send(connection_, std::string(text->text.view()));
    channel_->written(now());
  } else if (std::holds_alternative<portal::Drop>(action) || std::holds_alternative<portal::CloseGracefully>(action)) {
    leave();
  } else if (auto* message = std::get_if<portal::Message>(&action)) {
    on_message_(message->event, message->payload.view());
  } else if (auto* fatal = std::get_if<portal::Fatal>(&action)) {
    fatal_ = fatal->sentence;
  } else if (std::holds_alternative<portal::Resolve>(action)) {
    channel_->resolved(now(), true);
  }
}

void ChannelHost::leave() {
  if (connection_ != ConnectionId::none) portal_.hang_up(std::exchange(connection_, ConnectionId::none));
}

}  // namespace fireline::tunnel::test
