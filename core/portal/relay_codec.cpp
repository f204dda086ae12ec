#include "core/portal/relay_codec.h"

#include "core/portal/common_codec.h"

namespace fireline::portal {

crypto::SecretText write_relay_join(std::string_view stamp_secret) {
  std::string text = to_text(Json{{"stamp_secret", stamp_secret}});
  const crypto::SecretText payload(text);
  crypto::wipe(std::as_writable_bytes(std::span(text)));
  return payload;
}

std::optional<crypto::SecretText> read_relay_join(std::string_view payload) {
  const JsonDocument document(payload);
  if (document.failed()) return std::nullopt;
  JsonFields fields(document.root());
  std::string secret = fields.text("stamp_secret", kStampSecretBytesMax);
  if (fields.failed() || secret.empty()) return std::nullopt;
  crypto::SecretText copy(secret);
  crypto::wipe(std::as_writable_bytes(std::span(secret)));
  return copy;
}

bool is_relay_init(std::string_view event, std::string_view payload) {
  if (event != kInitEvent) return false;
  const JsonDocument document(payload);
  return !document.failed() && document.root().is_object();
}

}  // namespace fireline::portal
