// The client's side of one TURN allocation with long-term credentials and one channel, as a state machine: makes the
// requests, takes the answers, opens no socket. Sequence: Allocate without credentials, 401, Allocate, ChannelBind;
// later Refresh. 438 at any step repeats the request with the new nonce.
// Source: RFC 8656 sections 7, 8, 12. One thread.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/endpoint.h"
#include "core/base/wire.h"
#include "core/stun/integrity.h"
#include "core/stun/message_view.h"
#include "core/stun/message_writer.h"

namespace fireline::bench {

struct TurnCredentials {
  std::string username;
  std::string password;
};

class TurnSession {
 public:
  enum class State : std::uint8_t { allocating, binding, ready, refreshing, ended, failed };

  // `identity` tells sessions apart: it is part of the transaction ids.
  TurnSession(TurnCredentials credentials, const Endpoint& peer, std::uint16_t channel, std::uint64_t identity);

  // What to send now, and again until it is answered; empty when nothing is outstanding.
  [[nodiscard]] ConstBytes request() const noexcept { return ConstBytes(buffer_).first(request_bytes_); }
  // A datagram from the server. True when it answered the outstanding request: state and request have moved on.
  bool handle(ConstBytes datagram);
  // From ready: extends the allocation; with lifetime 0 the answer ends it.
  void refresh(std::uint32_t lifetime);

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] const Endpoint& relayed() const noexcept { return relayed_; }
  [[nodiscard]] std::uint16_t channel() const noexcept { return channel_; }
  [[nodiscard]] const std::string& error() const noexcept { return error_; }  // a sentence, once failed

 private:
  static constexpr std::size_t kBufferBytes = 1024;  // four times the longest request with a nonce of coturn's
  static constexpr int kChallengesMax = 3;           // 401 or 438 in a row; a server that goes on refuses us

  void write_request();
  void take_challenge(const stun::MessageView& answer, std::uint16_t code);
  void take_success(const stun::MessageView& answer);
  void fail(std::string sentence);
  [[nodiscard]] stun::Method method() const noexcept;

  TurnCredentials credentials_;
  Endpoint peer_;
  std::uint16_t channel_;
  std::uint64_t identity_;
  std::uint32_t transaction_ = 0;
  std::uint32_t lifetime_ = 0;
  State state_ = State::allocating;
  int challenges_ = 0;
  std::string realm_;
  std::string nonce_;
  std::optional<stun::LongTermKey> key_;
  stun::TransactionId id_{};
  std::array<std::byte, kBufferBytes> buffer_{};
  std::size_t request_bytes_ = 0;
  Endpoint relayed_;
  std::string error_;
};

}  // namespace fireline::bench
