#include "core/turn/request_message.h"

#include <cstdlib>

#include "core/stun/message_writer.h"

namespace fireline::turn {
namespace {
using stun::Attribute;

void add_what_is_asked(stun::MessageWriter& writer, const Request& request, std::string_view software,
                       RefreshForm form) {
  switch (request.kind) {
    case RequestKind::binding:
      break;
    case RequestKind::refresh:
    case RequestKind::probe:
    case RequestKind::remove:
      if (form == RefreshForm::plain) break;
      [[fallthrough]];
    case RequestKind::allocate:
      writer.add_transport(stun::kTransportUdp);
      writer.add_family(Attribute::additional_address_family, Family::v6);
      break;
    case RequestKind::channel_bind:
      writer.add_xor_address(Attribute::xor_peer_address, request.peer);
      writer.add_channel_number(request.channel);
      break;
  }
  writer.add_text(Attribute::software, software);
  if (request.kind == RequestKind::remove) writer.add_u32(Attribute::lifetime, 0);
}

void authenticate(stun::MessageWriter& writer, const Credentials& credentials, std::string_view nonce) {
  writer.add_text(Attribute::username, credentials.username());
  writer.add_text(Attribute::realm, kRealm);
  if (!nonce.empty()) writer.add_text(Attribute::nonce, nonce);
  writer.add_integrity(credentials.key());
}
}  // namespace

std::size_t write_request(const Request& request, std::string_view software, const Credentials* credentials,
                          std::string_view nonce, Bytes out, RefreshForm form) {
  stun::MessageWriter writer(out, stun::MessageClass::request, method_of(request.kind), request.id);
  add_what_is_asked(writer, request, software, form);
  if (request.kind != RequestKind::binding && credentials != nullptr) authenticate(writer, *credentials, nonce);
  const std::size_t bytes = writer.message().size();
  if (bytes == 0) std::abort();
  return bytes;
}

}  // namespace fireline::turn
