// Any datagram through classification and every view: a view exists exactly when classify names its type, and each
// field lies inside the datagram where the figure in messages.h has it.
// libraries: fireline_core_wireguard
// covers: core/wireguard/messages.cpp core/wireguard/messages.h
#include "core/wireguard/messages.h"

#include <cstdlib>

using namespace fireline;
using namespace fireline::wireguard;

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

// `field` is what stands at `offset`. Reads each byte, so that a sanitizer sees one outside the datagram.
void require_field(ConstBytes datagram, ConstBytes field, std::size_t offset) {
  require(offset + field.size() <= datagram.size());
  for (std::size_t i = 0; i < field.size(); ++i) require(field[i] == datagram[offset + i]);
}

void require_macs(ConstBytes datagram, const MacFields& macs) {
  const std::size_t mac2_offset = datagram.size() - kMacBytes;
  require(macs.sender_index == load_le32(datagram, 4));
  require_field(datagram, macs.mac1_input, 0);
  require_field(datagram, macs.mac2_input, 0);
  require(macs.mac1_input.size() == mac2_offset - kMacBytes && macs.mac2_input.size() == mac2_offset);
  require_field(datagram, macs.mac1, mac2_offset - kMacBytes);
  require_field(datagram, macs.mac2, mac2_offset);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ConstBytes datagram = std::as_bytes(std::span(data, size));
  const auto type = classify(datagram);
  const auto initiation = InitiationView::parse(datagram);
  const auto response = ResponseView::parse(datagram);
  const auto cookie_reply = CookieReplyView::parse(datagram);
  const auto transport = TransportView::parse(datagram);
  const auto macs = MacFields::parse(datagram);
  require(initiation.has_value() == (type == MessageType::initiation));
  require(response.has_value() == (type == MessageType::response));
  require(cookie_reply.has_value() == (type == MessageType::cookie_reply));
  require(transport.has_value() == (type == MessageType::transport));
  require(macs.has_value() == (initiation || response));
  if (!type) return 0;

  require(load_le32(datagram, 0) == static_cast<std::uint32_t>(*type));
  if (initiation) {
    require_field(datagram, initiation->ephemeral(), 8);
    require_field(datagram, initiation->encrypted_static(), 40);
    require_field(datagram, initiation->encrypted_timestamp(), 88);
    require(initiation->sender_index() == load_le32(datagram, 4));
    require_macs(datagram, *macs);
  }
  if (response) {
    require_field(datagram, response->ephemeral(), 12);
    require_field(datagram, response->encrypted_nothing(), 44);
    require(response->sender_index() == load_le32(datagram, 4));
    require(response->receiver_index() == load_le32(datagram, 8));
    require_macs(datagram, *macs);
  }
  if (cookie_reply) {
    require(cookie_reply->receiver_index() == load_le32(datagram, 4));
    require_field(datagram, cookie_reply->nonce(), 8);
    require_field(datagram, cookie_reply->encrypted_cookie(), 32);
  }
  if (transport) {
    require_field(datagram, transport->sealed(), kTransportHeaderBytes);
    require(transport->plaintext_bytes() + kTransportTagBytes == transport->sealed().size());
    std::array<std::byte, kTransportHeaderBytes> header{};
    write_transport_header(header, transport->receiver_index(), transport->counter());
    require_field(datagram, header, 0);
    require(transport->plaintext_bytes() <= size);
  }
  return 0;
}
