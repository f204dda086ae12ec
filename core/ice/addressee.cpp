#include "core/ice/addressee.h"

#include "core/base/wire.h"

namespace fireline::ice {

Addressee addressed_to(const stun::MessageView& message) noexcept {
  if (message.is(stun::MessageClass::success, stun::Method::binding)) return ToTag{tag_of(message.transaction_id())};
  if (!message.is(stun::MessageClass::request, stun::Method::binding)) return {};
  const auto username = message.find_text(stun::Attribute::username);
  if (!username) return {};
  const auto colon = username->find(':');
  if (colon == std::string_view::npos || colon + 1 == username->size()) return {};
  return ToFragments{username->substr(0, colon), username->substr(colon + 1)};
}

stun::TransactionId transaction_id(AgentTag tag, RequestId id) noexcept {
  stun::TransactionId result;
  store_be32(result, 0, tag);
  store_be64(result, 4, id);
  return result;
}

AgentTag tag_of(const stun::TransactionId& id) noexcept {
  return load_be32(id, 0);
}

RequestId request_of(const stun::TransactionId& id) noexcept {
  return load_be64(id, 4);
}

}  // namespace fireline::ice
