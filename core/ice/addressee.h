// For which agent a Binding message is. User name fragments have 20 bits and may collide, so a request names an agent
// by both fragments, and MESSAGE-INTEGRITY decides; a response names it by the tag in its transaction id. Lifetime:
// borrows the message. Threads: any. No allocation.
#pragma once
#include <cstdint>
#include <string_view>
#include <variant>

#include "core/ice/request_history.h"
#include "core/stun/message_view.h"

namespace fireline::ice {

// The first four bytes of the transaction ids of one agent. Chosen at random by the owner of the agents, unique among
// them, so that a response finds its agent without asking each of them; the other eight are new for every request.
using AgentTag = std::uint32_t;

struct ToFragments {
  std::string_view receiver;  // ours
  std::string_view sender;    // the peer's
};
struct ToTag {
  AgentTag tag = 0;
};

// monostate: no Binding request with a user name of two halves, and no success response.
using Addressee = std::variant<std::monostate, ToFragments, ToTag>;

[[nodiscard]] Addressee addressed_to(const stun::MessageView& message) noexcept;

[[nodiscard]] stun::TransactionId transaction_id(AgentTag tag, RequestId id) noexcept;
[[nodiscard]] AgentTag tag_of(const stun::TransactionId& id) noexcept;
[[nodiscard]] RequestId request_of(const stun::TransactionId& id) noexcept;

}  // namespace fireline::ice
