#include "core/portal/json_fields.h"

#include "core/portal/codec_limits.h"
#include "core/portal/frame.h"

namespace fireline::portal {

using simdjson::SUCCESS;
using simdjson::dom::element;

JsonDocument::JsonDocument(std::string_view text) : parser_(kFrameBytesMax) {
  failed_ = parser_.parse(text.data(), text.size()).get(root_) != SUCCESS;
}

std::optional<std::string_view> as_text(const element& value) noexcept {
  std::string_view text;
  if (value.get(text) != SUCCESS) return std::nullopt;
  return text;
}

std::optional<Uuid> as_id(const element& value) noexcept {
  const auto text = as_text(value);
  return text ? Uuid::parse(*text) : std::nullopt;
}

JsonFields::JsonFields(const element& value) noexcept {
  is_object_ = value.get(object_) == SUCCESS;
  failed_ = !is_object_;
}

bool JsonFields::has(std::string_view key) const noexcept {
  return find(key).has_value();
}

bool JsonFields::is_null(std::string_view key) const noexcept {
  const auto value = find(key);
  return value && value->is_null();
}

std::optional<element> JsonFields::find(std::string_view key) const noexcept {
  element value;
  if (!is_object_ || object_.at_key(key).get(value) != SUCCESS) return std::nullopt;
  return value;
}

JsonFields JsonFields::object(std::string_view key) noexcept {
  const auto value = find(key);
  JsonFields fields = value ? JsonFields(*value) : JsonFields();
  if (fields.failed()) fail();
  return fields;
}

std::vector<element> JsonFields::array(std::string_view key, std::size_t limit) {
  if (!has(key)) fail();
  return optional_array(key, limit);
}

std::vector<element> JsonFields::optional_array(std::string_view key, std::size_t limit) {
  std::vector<element> elements;
  const auto value = find(key);
  if (!value) return elements;
  simdjson::dom::array array;
  if (value->get(array) != SUCCESS) {
    fail();
    return elements;
  }
  for (const element& each : array) {
    if (elements.size() == limit) {
      fail();
      return {};
    }
    elements.push_back(each);
  }
  return elements;
}

std::string JsonFields::text(std::string_view key, std::size_t limit) {
  const auto found = required_text(key);
  if (found.size() > limit) {
    fail();
    return {};
  }
  return std::string(found);
}

std::optional<std::string> JsonFields::optional_text(std::string_view key, std::size_t limit) {
  if (!has(key) || is_null(key)) return std::nullopt;
  return text(key, limit);
}

Uuid JsonFields::id(std::string_view key) noexcept {
  const auto id = Uuid::parse(required_text(key));
  if (!id) fail();
  return id.value_or(Uuid{});
}

IpAddress JsonFields::address(std::string_view key, Family family) noexcept {
  const auto address = IpAddress::parse(required_text(key));
  if (address && address->family() == family) return *address;
  fail();
  return {};
}

Endpoint JsonFields::endpoint(std::string_view key) noexcept {
  const auto endpoint = Endpoint::parse(required_text(key));
  if (!endpoint) fail();
  return endpoint.value_or(Endpoint{});
}

Prefix JsonFields::cidr(std::string_view key) noexcept {
  const auto found = required_text(key);
  const auto slash = found.find('/');
  const auto prefix = Prefix::parse(found);
#ifdef FIRELINE_PLANTED_BUG
  // A wrong bound on purpose: tools/fuzz shows that the fuzz target finds it.
  const bool has_length = prefix && found[slash] == '/';
#else
  const bool has_length = prefix && slash != std::string_view::npos;
#endif
  if (has_length && IpAddress::parse(found.substr(0, slash)) == prefix->address()) {
    return *prefix;
  }
  fail();
  return {};
}

crypto::PublicKey JsonFields::public_key(std::string_view key) noexcept {
  const auto found = crypto::PublicKey::from_base64(required_text(key));
  if (!found) fail();
  return found.value_or(crypto::PublicKey{});
}

crypto::Key JsonFields::secret_key(std::string_view key) noexcept {
  const auto found = crypto::Key::from_base64(required_text(key));
  if (!found) fail();
  return found.value_or(crypto::Key{});
}

std::int64_t JsonFields::timestamp(std::string_view key) noexcept {
  const auto value = find(key);
  std::int64_t seconds = 0;
  if (value && value->get(seconds) == SUCCESS && seconds >= 0) return seconds;
  fail();
  return 0;
}

std::uint16_t JsonFields::optional_port(std::string_view key, std::uint16_t otherwise) noexcept {
  const auto value = find(key);
  if (!value) return otherwise;
  std::uint64_t number = 0;
  if (value->get(number) == SUCCESS && number <= 65535) return static_cast<std::uint16_t>(number);
  fail();
  return otherwise;
}

void JsonFields::require_bool(std::string_view key) noexcept {
  const auto value = find(key);
  if (!value || !value->is_bool()) fail();
}

std::string_view JsonFields::required_text(std::string_view key) noexcept {
  const auto value = find(key);
  const auto found = value ? as_text(*value) : std::nullopt;
  if (!found) fail();
  return found.value_or(std::string_view());
}

}  // namespace fireline::portal
