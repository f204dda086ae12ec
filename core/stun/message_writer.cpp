#include "core/stun/message_writer.h"

#include <algorithm>
#include <array>

#include "core/stun/integrity.h"

namespace fireline::stun {
namespace {

// The largest multiple of 4 that the length field holds.
constexpr std::size_t kMaxLength = 0xFFFC;

ConstBytes as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

MessageWriter::MessageWriter(Bytes out, MessageClass message_class, Method method, const TransactionId& id) noexcept
    : out_(out), id_(id), failed_(out.size() < kHeaderBytes) {
  if (failed_) return;
  store_be16(out_, 0, message_type(message_class, method));
  store_be16(out_, 2, 0);
  store_be32(out_, 4, kMagicCookie);
  std::copy(id.begin(), id.end(), out_.begin() + 8);
  bytes_ = kHeaderBytes;
}

void MessageWriter::add(Attribute type, ConstBytes value) noexcept {
  const Bytes room = append(type, value.size());
  if (room.size() == value.size()) std::copy(value.begin(), value.end(), room.begin());
}

void MessageWriter::add_text(Attribute type, std::string_view text) noexcept {
  add(type, as_bytes(text));
}

void MessageWriter::add_xor_address(Attribute type, const Endpoint& endpoint) noexcept {
  std::array<std::byte, kMaxAddressBytes> value;
  add(type, ConstBytes(value).first(encode_xor_address(endpoint, id_, value)));
}

void MessageWriter::add_address(Attribute type, const Endpoint& endpoint) noexcept {
  std::array<std::byte, kMaxAddressBytes> value;
  add(type, ConstBytes(value).first(encode_address(endpoint, value)));
}

void MessageWriter::add_u32(Attribute type, std::uint32_t value) noexcept {
  std::array<std::byte, 4> bytes;
  store_be32(bytes, 0, value);
  add(type, bytes);
}

void MessageWriter::add_u64(Attribute type, std::uint64_t value) noexcept {
  std::array<std::byte, 8> bytes;
  store_be64(bytes, 0, value);
  add(type, bytes);
}

void MessageWriter::add_family(Attribute type, Family family) noexcept {
  add(type, std::array{std::byte{family == Family::v4 ? std::uint8_t{1} : std::uint8_t{2}}, std::byte{}, std::byte{},
                       std::byte{}});
}

void MessageWriter::add_transport(std::uint8_t protocol) noexcept {
  add(Attribute::requested_transport, std::array{std::byte{protocol}, std::byte{}, std::byte{}, std::byte{}});
}

void MessageWriter::add_channel_number(std::uint16_t channel) noexcept {
  std::array<std::byte, 4> bytes{};
  store_be16(bytes, 0, channel);
  add(Attribute::channel_number, bytes);
}

void MessageWriter::add_error_code(std::uint16_t code, std::string_view reason) noexcept {
  const Bytes value = append(Attribute::error_code, 4 + reason.size());
  if (value.empty()) return;
  store_be16(value, 0, 0);
  store_u8(value, 2, static_cast<std::uint8_t>(code / 100));
  store_u8(value, 3, static_cast<std::uint8_t>(code % 100));
  std::copy_n(as_bytes(reason).begin(), reason.size(), value.begin() + 4);
}

void MessageWriter::add_integrity(ConstBytes key) noexcept {
  const ConstBytes before = message();
  const Bytes value = append(Attribute::message_integrity, kIntegrityBytes);
  if (value.empty()) return;
  const IntegrityValue integrity = integrity_of(before, key);
  std::copy(integrity.begin(), integrity.end(), value.begin());
}

void MessageWriter::add_fingerprint() noexcept {
  const ConstBytes before = message();
  const Bytes value = append(Attribute::fingerprint, kFingerprintBytes);
  if (!value.empty()) store_be32(value, 0, fingerprint_of(before));
}

ConstBytes MessageWriter::message() const noexcept {
  return failed_ ? ConstBytes() : ConstBytes(out_).first(bytes_);
}

Bytes MessageWriter::append(Attribute type, std::size_t value_bytes) noexcept {
  if (failed_) return {};
  const std::size_t most = std::min(out_.size(), kHeaderBytes + kMaxLength) - bytes_;
  if (most < kAttributeHeaderBytes || value_bytes > most - kAttributeHeaderBytes ||
      padded(value_bytes) > most - kAttributeHeaderBytes) {
    failed_ = true;
    return {};
  }
  store_be16(out_, bytes_, static_cast<std::uint16_t>(type));
  store_be16(out_, bytes_ + 2, static_cast<std::uint16_t>(value_bytes));
  const Bytes value = out_.subspan(bytes_ + kAttributeHeaderBytes, padded(value_bytes));
  std::fill(value.begin() + static_cast<std::ptrdiff_t>(value_bytes), value.end(), std::byte{});
  bytes_ += kAttributeHeaderBytes + value.size();
  store_be16(out_, 2, static_cast<std::uint16_t>(bytes_ - kHeaderBytes));
  return value.first(value_bytes);
}

}  // namespace fireline::stun
