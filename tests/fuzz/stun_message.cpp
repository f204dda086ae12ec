// Any datagram through the STUN codec: what the view shows lies inside of the datagram and in order, each value that
// parse() let through decodes, decoded values written again decode to the same, integrity and fingerprint are those of
// the bytes before them, and channel data is the stated part of the datagram.
// The datagram is copied to the end of an allocation of its size, so that a sanitizer sees each byte read beyond it.
// libraries: fireline_core_stun fireline_core_base
// covers: core/stun/message_view.cpp core/stun/message_view.h core/stun/attribute.cpp core/stun/header.cpp
// covers: core/stun/utf8.cpp core/stun/message_writer.cpp core/stun/integrity.cpp core/stun/channel_data.h
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/stun/channel_data.h"
#include "core/stun/integrity.h"
#include "core/stun/message_view.h"
#include "core/stun/message_writer.h"

using namespace fireline;
using namespace fireline::stun;

namespace {

constexpr std::string_view kKey = "key of the fuzz target";

void require(bool promise) {
  if (!promise) std::abort();
}

// Reads each byte.
bool equal(ConstBytes a, ConstBytes b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

bool is_inside(ConstBytes whole, ConstBytes part) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

// Writes the attribute through the function for its type. What parse() checked must decode.
void write_again(MessageWriter& writer, Attribute type, ConstBytes value, const TransactionId& id) {
  require(check_attribute(type, value, id).has_value());
  switch (type) {
    case Attribute::xor_mapped_address:
    case Attribute::xor_peer_address:
    case Attribute::xor_relayed_address:
      return writer.add_xor_address(type, decode_xor_address(value, id).value());
    case Attribute::mapped_address:
    case Attribute::alternate_server:
      if (const auto address = decode_address(value)) return writer.add_address(type, *address);
      return writer.add(type, value);
    case Attribute::username:
    case Attribute::realm:
    case Attribute::nonce:
    case Attribute::software:
      return writer.add_text(type, decode_text(type, value).value());
    case Attribute::error_code: {
      const ErrorCode error = decode_error_code(value).value();
      require(error.code >= 300 && error.code <= 599);
      return writer.add_error_code(error.code, error.reason);
    }
    case Attribute::channel_number:
      return writer.add_channel_number(decode_channel_number(value).value());
    case Attribute::lifetime:
      return writer.add_u32(type, decode_u32(value).value());
    case Attribute::ice_controlled:
    case Attribute::ice_controlling:
      if (const auto number = decode_u64(value)) return writer.add_u64(type, *number);
      return writer.add(type, value);
    case Attribute::requested_address_family:
    case Attribute::additional_address_family:
      return writer.add_family(type, decode_family(value).value());
    case Attribute::requested_transport:
      return writer.add_transport(decode_transport(value).value());
    case Attribute::use_candidate:
      return value.empty() ? writer.add_flag(type) : writer.add(type, value);
    default:
      return writer.add(type, value);
  }
}

// The typed finds agree with the first occurrence.
void require_finds(const MessageView& message) {
  const auto agrees = [&](Attribute type, bool found) { require(!found || message.has(type)); };
  agrees(Attribute::xor_peer_address, message.find_xor_address(Attribute::xor_peer_address).has_value());
  agrees(Attribute::mapped_address, message.find_address(Attribute::mapped_address).has_value());
  agrees(Attribute::priority, message.find_u32(Attribute::priority).has_value());
  agrees(Attribute::ice_controlling, message.find_u64(Attribute::ice_controlling).has_value());
  require(message.has(Attribute::username) == message.find_text(Attribute::username).has_value());
  require(message.has(Attribute::lifetime) == message.find_u32(Attribute::lifetime).has_value());
  require(message.has(Attribute::channel_number) == message.find_channel_number().has_value());
  require(message.has(Attribute::requested_transport) == message.find_transport().has_value());
  require(message.has(Attribute::error_code) == message.find_error_code().has_value());
  require(message.has(Attribute::requested_address_family) ==
          message.find_family(Attribute::requested_address_family).has_value());
}

// Everything but integrity and fingerprint, then both of ours: the result is a message with the same attributes.
void require_round_trip(const MessageView& message) {
  std::vector<std::byte> out(message.bytes().size() + 64, std::byte{0xEE});
  MessageWriter writer(out, message.message_class(), message.method(), message.transaction_id());
  std::vector<Attribute> types;
  message.for_each([&](Attribute type, ConstBytes value) {
    if (type == Attribute::message_integrity || type == Attribute::fingerprint) return;
    types.push_back(type);
    write_again(writer, type, value, message.transaction_id());
  });
  writer.add_integrity(short_term_key(kKey));
  writer.add_fingerprint();
  if (writer.message().empty()) return require(message.bytes().size() > 0xFF00);  // no room in the length field
  const auto again = MessageView::parse(writer.message());
  if (types.size() + 2 > kMaxAttributes) return require(!again);
  require(again.has_value());
  require(check_integrity(*again, short_term_key(kKey)) == Check::good);
  require(check_fingerprint(*again) == Check::good);
  std::size_t i = 0;
  again->for_each([&](Attribute type, ConstBytes) { require(i >= types.size() || type == types[i]), ++i; });
  require(i == types.size() + 2);

  // Room one byte short makes an empty message, and nothing behind the room is written.
  const std::size_t bytes = writer.message().size();
  std::vector<std::byte> tight(bytes - 1);
  MessageWriter cut(tight, message.message_class(), message.method(), message.transaction_id());
  again->for_each([&](Attribute type, ConstBytes value) { cut.add(type, value); });
  require(cut.message().empty());
}

// What stands before the first occurrence is what the checks cover: changing it makes a good check wrong.
void require_checks(const MessageView& message) {
  const LongTermKey key("user", "realm", "password");
  require((check_integrity(message, key.bytes()) == Check::absent) == !message.has(Attribute::message_integrity));
  require((check_fingerprint(message) == Check::absent) == !message.has(Attribute::fingerprint));
}

void require_channel_data(ConstBytes datagram) {
  const auto data = ChannelDataView::parse(datagram);
  if (!data) return;
  require(kind_of(datagram) == DatagramKind::channel_data);
  require(is_inside(datagram, data->payload) && data->payload.size() == load_be16(datagram, 2));
  require(equal(data->payload, datagram.subspan(kChannelHeaderBytes, data->payload.size())));
  std::array<std::byte, kChannelHeaderBytes> header;
  write_channel_header(header, data->channel, static_cast<std::uint16_t>(data->payload.size()));
  require(equal(header, datagram.first(kChannelHeaderBytes)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ConstBytes input = std::as_bytes(std::span(data, size));
  const std::vector<std::byte> copy(input.begin(), input.end());
  const ConstBytes datagram(copy);
  require_channel_data(datagram);

  const auto header = Header::parse(datagram);
  const auto message = MessageView::parse(datagram);
  if (!header) {
    require(!message && message.error() == header.error());
    return 0;
  }
  // The methods of STUN and TURN are below 0x100; larger numbers have first bytes that RFC 7983 gives to others.
  const bool is_known_range = static_cast<unsigned>(header->method) < 0x100;
  require((kind_of(datagram) == DatagramKind::message) == is_known_range);
  require(load_be16(datagram, 0) == message_type(header->message_class, header->method));
  if (!message) {
    require(message.error() == ParseError::malformed || message.error() == ParseError::illegal_value);
    return 0;
  }
  require(message->header() == *header);

  const std::byte* end = datagram.data() + kHeaderBytes;
  message->for_each([&](Attribute type, ConstBytes value) {
    require(is_inside(datagram, value) && value.data() >= end + kAttributeHeaderBytes);
    require(equal(value, ConstBytes(value.data(), value.size())));
    require(message->has(type));
    end = value.data() + value.size();
  });
  require_finds(*message);
  require_checks(*message);
  require_round_trip(*message);
  return 0;
}
