#include "core/stun/attribute.h"

#include <algorithm>
#include <array>

#include "core/stun/utf8.h"

namespace fireline::stun {
namespace {

constexpr std::uint8_t kFamilyV4 = 1;
constexpr std::uint8_t kFamilyV6 = 2;
constexpr std::size_t kAddressV4Bytes = 8;
constexpr std::size_t kAddressV6Bytes = 20;
static_assert(kAddressV6Bytes == kMaxAddressBytes);

// What addresses and ports are XORed with: the cookie and then the transaction id, as much as the address is long; a
// port with the front of the cookie. Zeros for addresses that are sent as they are.
using Mask = std::array<std::byte, 16>;

Mask mask_of(const TransactionId& id) noexcept {
  Mask mask{};
  store_be32(mask, 0, kMagicCookie);
  std::copy(id.begin(), id.end(), mask.begin() + 4);
  return mask;
}

Result<Endpoint, ParseError> decode_masked(ConstBytes value, const Mask& mask) noexcept {
  if (value.size() != kAddressV4Bytes && value.size() != kAddressV6Bytes) return err(ParseError::malformed);
  const std::uint8_t family = load_u8(value, 1);
  if (family != kFamilyV4 && family != kFamilyV6) return err(ParseError::illegal_value);
  if (value.size() != (family == kFamilyV4 ? kAddressV4Bytes : kAddressV6Bytes)) return err(ParseError::malformed);

  std::array<std::byte, 16> address{};
  const ConstBytes masked = value.subspan(4);
  for (std::size_t i = 0; i < masked.size(); ++i) address[i] = masked[i] ^ mask[i];
  Endpoint endpoint;
  endpoint.address = IpAddress::from_bytes(ConstBytes(address).first(masked.size()));
  endpoint.port = static_cast<std::uint16_t>(load_be16(value, 2) ^ load_be16(mask, 0));
  return endpoint;
}

std::size_t encode_masked(const Endpoint& endpoint, const Mask& mask, Bytes out) noexcept {
  const ConstBytes address = endpoint.address.bytes();
  store_u8(out, 0, 0);
  store_u8(out, 1, endpoint.address.is_v4() ? kFamilyV4 : kFamilyV6);
  store_be16(out, 2, static_cast<std::uint16_t>(endpoint.port ^ load_be16(mask, 0)));
  for (std::size_t i = 0; i < address.size(); ++i)
    store_u8(out, 4 + i, std::to_integer<std::uint8_t>(address[i] ^ mask[i]));
  return 4 + address.size();
}

std::string_view as_text(ConstBytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class T>
Result<void, ParseError> only_error(const Result<T, ParseError>& decoded) noexcept {
  if (!decoded) return err(decoded.error());
  return {};
}

}  // namespace

Result<Endpoint, ParseError> decode_xor_address(ConstBytes value, const TransactionId& id) noexcept {
  return decode_masked(value, mask_of(id));
}

Result<Endpoint, ParseError> decode_address(ConstBytes value) noexcept {
  return decode_masked(value, Mask{});
}

std::size_t encode_xor_address(const Endpoint& endpoint, const TransactionId& id, Bytes out) noexcept {
  return encode_masked(endpoint, mask_of(id), out);
}

std::size_t encode_address(const Endpoint& endpoint, Bytes out) noexcept {
  return encode_masked(endpoint, Mask{}, out);
}

Result<ErrorCode, ParseError> decode_error_code(ConstBytes value) noexcept {
  if (value.size() < 4) return err(ParseError::malformed);
  const unsigned hundreds = load_u8(value, 2) & 7u;
  const unsigned number = load_u8(value, 3);
  const std::string_view reason = as_text(value.subspan(4));
  if (hundreds < 3 || hundreds > 5 || number > 99 || !utf8_characters(reason)) return err(ParseError::illegal_value);
  return ErrorCode{static_cast<std::uint16_t>(hundreds * 100 + number), reason};
}

Result<std::uint16_t, ParseError> decode_channel_number(ConstBytes value, std::uint16_t max) noexcept {
  if (value.size() != 4) return err(ParseError::malformed);
  const std::uint16_t channel = load_be16(value, 0);
  if (channel < kMinChannel || channel > max) return err(ParseError::illegal_value);
  return channel;
}

Result<std::uint32_t, ParseError> decode_u32(ConstBytes value) noexcept {
  if (value.size() != 4) return err(ParseError::malformed);
  return load_be32(value, 0);
}

Result<std::uint64_t, ParseError> decode_u64(ConstBytes value) noexcept {
  if (value.size() != 8) return err(ParseError::malformed);
  return load_be64(value, 0);
}

Result<Family, ParseError> decode_family(ConstBytes value) noexcept {
  if (value.size() != 4) return err(ParseError::malformed);
  switch (load_u8(value, 0)) {
    case kFamilyV4:
      return Family::v4;
    case kFamilyV6:
      return Family::v6;
    default:
      return err(ParseError::illegal_value);
  }
}

Result<std::uint8_t, ParseError> decode_transport(ConstBytes value) noexcept {
  if (value.size() != 4) return err(ParseError::malformed);
  return load_u8(value, 0);
}

Result<std::string_view, ParseError> decode_text(Attribute type, ConstBytes value) noexcept {
  const std::string_view text = as_text(value);
  // The username is bounded first, so that no long text is walked for nothing; the others by at most 4 bytes each.
  const std::size_t most_bytes = type == Attribute::username ? kMaxUsernameBytes : 4 * kMaxTextCharacters;
  if (text.size() > most_bytes) return err(ParseError::illegal_value);
  const auto characters = utf8_characters(text);
  if (!characters) return err(ParseError::illegal_value);
  if (type != Attribute::username && *characters > kMaxTextCharacters) return err(ParseError::illegal_value);
  return text;
}

Result<void, ParseError> check_attribute(Attribute type, ConstBytes value, const TransactionId& id) noexcept {
  switch (type) {
    case Attribute::xor_mapped_address:
    case Attribute::xor_peer_address:
    case Attribute::xor_relayed_address:
      return only_error(decode_xor_address(value, id));
    case Attribute::username:
    case Attribute::realm:
    case Attribute::nonce:
    case Attribute::software:
      return only_error(decode_text(type, value));
    case Attribute::message_integrity:
      if (value.size() != kIntegrityBytes) return err(ParseError::malformed);
      return {};
    case Attribute::error_code:
      return only_error(decode_error_code(value));
    case Attribute::channel_number:
      return only_error(decode_channel_number(value));
    case Attribute::lifetime:
      return only_error(decode_u32(value));
    case Attribute::requested_address_family:
    case Attribute::additional_address_family:
      return only_error(decode_family(value));
    case Attribute::requested_transport:
      return only_error(decode_transport(value));
    default:
      return {};
  }
}

}  // namespace fireline::stun
