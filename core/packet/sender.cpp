#include "core/packet/sender.h"

namespace fireline::packet {

std::optional<Sender> data_sender_of(const ReceivedDatagrams& train) noexcept {
  const ConstBytes bytes = train.bytes;
  if (bytes.empty()) return std::nullopt;
  if (bytes[0] == kTransportDataType) return Sender{.endpoint = train.source, .channel = 0};
  if ((bytes[0] & kChannelMask) != kChannelFirst || bytes.size() <= kChannelHeaderBytes ||
      bytes[kChannelHeaderBytes] != kTransportDataType) {
    return std::nullopt;
  }
  return Sender{.endpoint = train.source, .channel = load_be16(bytes, 0)};
}

}  // namespace fireline::packet
