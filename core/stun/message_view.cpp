#include "core/stun/message_view.h"

namespace fireline::stun {
namespace {

// For the find_… functions: a type that parse() checked cannot fail here, of the others a bad value counts as absent.
template <class T>
std::optional<T> value_or_absent(const Result<T, ParseError>& decoded) noexcept {
  if (!decoded) return std::nullopt;
  return *decoded;
}

}  // namespace

Result<MessageView, ParseError> MessageView::parse(ConstBytes datagram, std::uint16_t max_channel) noexcept {
  const auto header = Header::parse(datagram);
  if (!header) return err(header.error());
  if (header->length % 4 != 0) return err(ParseError::malformed);

  MessageView view(*header, datagram);
  Cursor cursor(view.attributes());
  while (cursor.next()) {
    if (cursor.type() == Attribute::channel_number) {
      const auto channel = decode_channel_number(cursor.value(), max_channel);
      if (!channel) return err(channel.error());
      continue;
    }
    const auto checked = check_attribute(cursor.type(), cursor.value(), header->transaction_id);
    if (!checked) return err(checked.error());
  }
  if (cursor.broken()) return err(ParseError::malformed);
  return view;
}

std::optional<ConstBytes> MessageView::find(Attribute type) const noexcept {
  Cursor cursor(attributes());
  while (cursor.next())
    if (cursor.type() == type) return cursor.value();
  return std::nullopt;
}

std::optional<Endpoint> MessageView::find_xor_address(Attribute type) const noexcept {
  const auto value = find(type);
  if (!value) return std::nullopt;
  return value_or_absent(decode_xor_address(*value, header_.transaction_id));
}

std::optional<Endpoint> MessageView::find_address(Attribute type) const noexcept {
  const auto value = find(type);
  if (!value) return std::nullopt;
  return value_or_absent(decode_address(*value));
}

std::optional<std::string_view> MessageView::find_text(Attribute type) const noexcept {
  const auto value = find(type);
  if (!value) return std::nullopt;
  return value_or_absent(decode_text(type, *value));
}

std::optional<std::uint32_t> MessageView::find_u32(Attribute type) const noexcept {
  const auto value = find(type);
  if (!value) return std::nullopt;
  return value_or_absent(decode_u32(*value));
}

std::optional<std::uint64_t> MessageView::find_u64(Attribute type) const noexcept {
  const auto value = find(type);
  if (!value) return std::nullopt;
  return value_or_absent(decode_u64(*value));
}

std::optional<Family> MessageView::find_family(Attribute type) const noexcept {
  const auto value = find(type);
  if (!value) return std::nullopt;
  return value_or_absent(decode_family(*value));
}

std::optional<std::uint8_t> MessageView::find_transport() const noexcept {
  const auto value = find(Attribute::requested_transport);
  if (!value) return std::nullopt;
  return value_or_absent(decode_transport(*value));
}

std::optional<std::uint16_t> MessageView::find_channel_number() const noexcept {
  const auto value = find(Attribute::channel_number);
  if (!value) return std::nullopt;
  return value_or_absent(decode_channel_number(*value, UINT16_MAX));  // parse() knew the bound
}

std::optional<ErrorCode> MessageView::find_error_code() const noexcept {
  const auto value = find(Attribute::error_code);
  if (!value) return std::nullopt;
  return value_or_absent(decode_error_code(*value));
}

bool MessageView::Cursor::next() noexcept {
  while (read()) {
    if (after_integrity_) {
      if (type_ == Attribute::fingerprint) return true;
      continue;
    }
    after_integrity_ = type_ == Attribute::message_integrity;
    return true;
  }
  return false;
}

// One step over the structure. The stated length of the message is a multiple of 4 and so is every step: what is left
// is nothing or at least an attribute header, and padding is inside whenever the value is.
bool MessageView::Cursor::read() noexcept {
  if (broken_ || next_ >= bytes_.size()) return false;
  if (++count_ > kMaxAttributes) {
    broken_ = true;
    return false;
  }
  const std::size_t length = load_be16(bytes_, next_ + 2);
  const std::size_t left = bytes_.size() - next_ - kAttributeHeaderBytes;
#ifdef FIRELINE_PLANTED_BUG
  const bool overruns = length > left + kAttributeHeaderBytes;
#else
  const bool overruns = length > left;
#endif
  if (overruns) {
    broken_ = true;
    return false;
  }
  type_ = static_cast<Attribute>(load_be16(bytes_, next_));
  value_ = bytes_.subspan(next_ + kAttributeHeaderBytes, length);
  next_ += kAttributeHeaderBytes + padded(length);
  return true;
}

}  // namespace fireline::stun
