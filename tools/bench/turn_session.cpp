#include "tools/bench/turn_session.h"

#include <fmt/format.h>

#include <utility>

namespace fireline::bench {

using stun::Attribute;
using stun::MessageClass;
using stun::Method;

TurnSession::TurnSession(TurnCredentials credentials, const Endpoint& peer, std::uint16_t channel,
                         std::uint64_t identity)
    : credentials_(std::move(credentials)), peer_(peer), channel_(channel), identity_(identity) {
  write_request();
}

bool TurnSession::handle(ConstBytes datagram) {
  const auto answer = stun::MessageView::parse(datagram);
  if (!answer || request_bytes_ == 0 || answer->transaction_id() != id_ || answer->method() != method()) return false;
  if (answer->message_class() == MessageClass::error) {
    const auto error = answer->find_error_code();
    const std::uint16_t code = error ? error->code : std::uint16_t{0};
    if (code == 401 || code == 438) {
      take_challenge(*answer, code);
    } else {
      fail(fmt::format("method {}: {} {}", static_cast<unsigned>(method()), code, error ? error->reason : ""));
    }
    return true;
  }
  if (answer->message_class() != MessageClass::success) return false;
  if (!key_ || check_integrity(*answer, key_->bytes()) != stun::Check::good) return false;
  take_success(*answer);
  return true;
}

void TurnSession::refresh(std::uint32_t lifetime) {
  if (state_ != State::ready) return;
  lifetime_ = lifetime;
  state_ = State::refreshing;
  write_request();
}

Method TurnSession::method() const noexcept {
  switch (state_) {
    case State::allocating:
      return Method::allocate;
    case State::binding:
      return Method::channel_bind;
    default:
      return Method::refresh;
  }
}

void TurnSession::write_request() {
  ++transaction_;
  store_be64(id_, 0, identity_);
  store_be32(id_, 8, transaction_);
  stun::MessageWriter writer(buffer_, MessageClass::request, method(), id_);
  if (state_ == State::allocating) writer.add_transport(stun::kTransportUdp);
  if (state_ == State::binding) {
    writer.add_channel_number(channel_);
    writer.add_xor_address(Attribute::xor_peer_address, peer_);
  }
  if (state_ == State::refreshing) writer.add_u32(Attribute::lifetime, lifetime_);
  if (key_) {
    writer.add_text(Attribute::username, credentials_.username);
    writer.add_text(Attribute::realm, realm_);
    writer.add_text(Attribute::nonce, nonce_);
    writer.add_integrity(key_->bytes());
  }
  request_bytes_ = writer.message().size();
}

void TurnSession::take_challenge(const stun::MessageView& answer, std::uint16_t code) {
  const auto realm = answer.find_text(Attribute::realm);
  const auto nonce = answer.find_text(Attribute::nonce);
  if (!realm || !nonce) return fail(fmt::format("{} without realm or nonce", code));
  if (++challenges_ > kChallengesMax) return fail(fmt::format("{} again and again: wrong credentials?", code));
  realm_ = *realm;
  nonce_ = *nonce;
  key_.emplace(credentials_.username, realm_, credentials_.password);
  write_request();
}

void TurnSession::take_success(const stun::MessageView& answer) {
  challenges_ = 0;
  switch (state_) {
    case State::allocating: {
      const auto relayed = answer.find_xor_address(Attribute::xor_relayed_address);
      if (!relayed) return fail("allocation without XOR-RELAYED-ADDRESS");
      relayed_ = *relayed;
      state_ = State::binding;
      return write_request();
    }
    case State::binding:
      state_ = State::ready;
      break;
    default:
      state_ = lifetime_ == 0 ? State::ended : State::ready;
      break;
  }
  request_bytes_ = 0;
}

void TurnSession::fail(std::string sentence) {
  state_ = State::failed;
  error_ = std::move(sentence);
  request_bytes_ = 0;
}

}  // namespace fireline::bench
