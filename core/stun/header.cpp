#include "core/stun/header.h"

#include <algorithm>

namespace fireline::stun {

Result<Header, ParseError> Header::parse(ConstBytes datagram) noexcept {
  if (datagram.size() < kHeaderBytes) return err(ParseError::too_short);
  const unsigned type = load_be16(datagram, 0);
  if ((type & 0xC000u) != 0) return err(ParseError::wrong_type);
  if (load_be32(datagram, 4) != kMagicCookie) return err(ParseError::wrong_cookie);
  const std::uint16_t length = load_be16(datagram, 2);
  if (datagram.size() != kHeaderBytes + length) return err(ParseError::wrong_length);

  Header header;
  header.message_class = static_cast<MessageClass>((type >> 4 & 1u) | (type >> 7 & 2u));
  header.method = static_cast<Method>((type & 0x00Fu) | (type >> 1 & 0x070u) | (type >> 2 & 0xF80u));
  header.length = length;
  const ConstBytes id = datagram.subspan(8, header.transaction_id.size());
  std::copy(id.begin(), id.end(), header.transaction_id.begin());
  return header;
}

}  // namespace fireline::stun
