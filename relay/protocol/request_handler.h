// STUN messages on the control port: framing, the five requests, and Send indications. Stateless itself: a view of the
// server's parts for the time of one datagram.
// Source: RFC 8489 section 6.3, RFC 8656 sections 7 to 12; relay specification sections 1.2 to 1.8.
#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "core/base/time.h"
#include "core/stun/message_view.h"
#include "relay/protocol/server_state.h"

namespace fireline::relay {

class RequestHandler {
 public:
  RequestHandler(ServerState& state, const Now& now, const Endpoint& client) noexcept
      : state_(state), now_(now), client_(client) {}

  void handle(ConstBytes datagram);

 private:
  void handle_unreadable(ConstBytes datagram, stun::ParseError error);
  void handle_request(const stun::MessageView& message);
  void handle_send_indication(const stun::MessageView& message);

  // After authentication; each answers.
  void allocate(const stun::MessageView& message);
  void refresh(const stun::MessageView& message);
  void create_permission(const stun::MessageView& message);
  void channel_bind(const stun::MessageView& message);

  // Attributes without which a request is refused before anybody asks who sent it.
  [[nodiscard]] static bool is_complete(const stun::MessageView& message) noexcept;
  [[nodiscard]] Result<Families, std::uint16_t> relayed_families(const stun::MessageView& message) const noexcept;
  enum class Use : std::uint8_t { keep, remove };
  // The client's allocation, or answers 437, or 441 when another user made it; with derived credentials 437, unless it
  // is to be removed.
  [[nodiscard]] std::optional<std::uint32_t> own_allocation(Use use);
  // 0 or the error code for a peer of that allocation.
  [[nodiscard]] std::uint16_t check_peer(const Allocation& allocation, const Endpoint& peer);
  // Which limit keeps that allocation from one more channel.
  [[nodiscard]] std::optional<ServerCounter> channel_limit(const Allocation& allocation) const;
  [[nodiscard]] bool refuses(const Endpoint& peer);

  void succeed(Answer answer = {});
  void refuse(std::uint16_t code);
  [[nodiscard]] bool may_answer_unauthenticated();
  void refuse_unsigned(std::uint16_t code);
  void refuse_unauthenticated();
  void report(std::uint16_t code);
  void drop(ServerCounter why) { state_.counters.add(why); }

  ServerState& state_;
  const Now& now_;
  Endpoint client_;
  Question question_{};
  Authenticator::Verdict verdict_{};
};

}  // namespace fireline::relay
