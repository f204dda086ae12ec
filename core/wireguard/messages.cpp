#include "core/wireguard/messages.h"

#include <utility>

namespace fireline::wireguard {
namespace {

#ifdef FIRELINE_PLANTED_BUG
// A wrong bound on purpose: tools/fuzz shows that the fuzz target finds it.
constexpr std::size_t kLeastTransportBytes = kTransportOverheadBytes - 1;
#else
constexpr std::size_t kLeastTransportBytes = kTransportOverheadBytes;
#endif

bool length_fits(MessageType type, std::size_t bytes) noexcept {
  switch (type) {
    case MessageType::initiation:
      return bytes == kInitiationBytes;
    case MessageType::response:
      return bytes == kResponseBytes;
    case MessageType::cookie_reply:
      return bytes == kCookieReplyBytes;
    case MessageType::transport:
      return bytes >= kLeastTransportBytes;
  }
  std::unreachable();
}

// The error of a datagram that is to be of `wanted` type; nothing when it is.
Result<void, MessageError> expect_type(ConstBytes datagram, MessageType wanted) noexcept {
  const auto type = classify(datagram);
  if (!type) return err(type.error());
  if (*type != wanted) return err(MessageError::unknown_type);
  return {};
}

template <std::size_t kBytes>
MacFields mac_fields(std::span<const std::byte, kBytes> message) noexcept {
  constexpr std::size_t kMac2Offset = kBytes - kMacBytes;
  constexpr std::size_t kMac1Offset = kMac2Offset - kMacBytes;
  return MacFields{.sender_index = load_le32(message, 4),
                   .mac1_input = message.template first<kMac1Offset>(),
                   .mac1 = message.template subspan<kMac1Offset, kMacBytes>(),
                   .mac2_input = message.template first<kMac2Offset>(),
                   .mac2 = message.template subspan<kMac2Offset, kMacBytes>()};
}

}  // namespace

Result<MessageType, MessageError> classify(ConstBytes datagram) noexcept {
  if (datagram.size() < 4) return err(MessageError::too_short);
  const std::uint32_t number = load_le32(datagram, 0);
  if (number < 1 || number > 4) return err(MessageError::unknown_type);
  const auto type = static_cast<MessageType>(number);
  if (!length_fits(type, datagram.size())) return err(MessageError::bad_length);
  return type;
}

Result<MacFields, MessageError> MacFields::parse(ConstBytes datagram) noexcept {
  const auto type = classify(datagram);
  if (!type) return err(type.error());
  if (*type == MessageType::initiation) return mac_fields(datagram.first<kInitiationBytes>());
  if (*type == MessageType::response) return mac_fields(datagram.first<kResponseBytes>());
  return err(MessageError::unknown_type);
}

Result<InitiationView, MessageError> InitiationView::parse(ConstBytes datagram) noexcept {
  const auto checked = expect_type(datagram, MessageType::initiation);
  if (!checked) return err(checked.error());
  return InitiationView(datagram.first<kInitiationBytes>());
}

Result<ResponseView, MessageError> ResponseView::parse(ConstBytes datagram) noexcept {
  const auto checked = expect_type(datagram, MessageType::response);
  if (!checked) return err(checked.error());
  return ResponseView(datagram.first<kResponseBytes>());
}

Result<CookieReplyView, MessageError> CookieReplyView::parse(ConstBytes datagram) noexcept {
  const auto checked = expect_type(datagram, MessageType::cookie_reply);
  if (!checked) return err(checked.error());
  return CookieReplyView(datagram.first<kCookieReplyBytes>());
}

Result<TransportView, MessageError> TransportView::parse(ConstBytes datagram) noexcept {
  const auto checked = expect_type(datagram, MessageType::transport);
  if (!checked) return err(checked.error());
  return TransportView(datagram);
}

}  // namespace fireline::wireguard
