#include "core/portal/frame.h"

#include <nlohmann/json.hpp>

#include "core/portal/json_fields.h"

namespace fireline::portal {
namespace {

using simdjson::dom::element;

constexpr std::string_view kReplyEvent = "phx_reply";
constexpr std::string_view kErrorEvent = "phx_error";
constexpr std::string_view kDisconnectEvent = "disconnect";
constexpr std::string_view kTokenExpired = "token_expired";

struct Envelope {
  std::string_view topic;
  std::string_view event;
  std::optional<element> payload{};
  bool has_ref = false;
  std::optional<std::uint64_t> ref{};
};

std::optional<Envelope> read_envelope(const element& root) {
  JsonFields fields(root);
  const auto topic = fields.find("topic");
  const auto event = fields.find("event");
  if (!topic || !event || !as_text(*topic) || !as_text(*event)) return std::nullopt;
  Envelope envelope{.topic = *as_text(*topic), .event = *as_text(*event), .payload = fields.find("payload")};
  envelope.has_ref = fields.has("ref");
  if (envelope.has_ref && !fields.is_null("ref")) {
    std::uint64_t ref = 0;
    if (fields.find("ref")->get(ref) != simdjson::SUCCESS) return std::nullopt;
    envelope.ref = ref;
  }
  return envelope;
}

// Without a reason an error says too little to end a program over it.
Result<ServerFrame, FrameError> read_reply(const Envelope& envelope) {
  if (!envelope.ref || !envelope.payload) return err(FrameError::bad_shape);
  JsonFields payload(*envelope.payload);
  const auto status = payload.find("status");
  if (!status || !as_text(*status)) return err(FrameError::bad_shape);
  if (*as_text(*status) == "ok") return Reply{.ref = *envelope.ref, .ok = true, .reason = {}};
  if (*as_text(*status) != "error") return err(FrameError::bad_shape);
  const auto response = payload.find("response");
  const auto reason = response ? JsonFields(*response).find("reason") : std::nullopt;
  if (!reason || !as_text(*reason)) return err(FrameError::bad_shape);
  return Reply{.ref = *envelope.ref, .ok = false, .reason = std::string(*as_text(*reason))};
}

Result<ServerFrame, FrameError> read_disconnect(const Envelope& envelope) {
  const auto reason = envelope.payload ? JsonFields(*envelope.payload).find("reason") : std::nullopt;
  if (!reason || !as_text(*reason)) return err(FrameError::bad_shape);
  if (*as_text(*reason) != kTokenExpired) return err(FrameError::unknown);
  return TokenExpired{};
}

std::string quoted(std::string_view text) {
#ifdef FIRELINE_PLANTED_BUG
  return "\"" + std::string(text) + "\"";
#endif
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string ref_text(std::optional<std::uint64_t> ref) {
  return ref ? std::to_string(*ref) : "null";
}

// Key order as Phoenix writes it.
std::string write_server_frame(std::string_view topic, std::string_view event, std::string_view payload,
                               std::optional<std::uint64_t> ref) {
  std::string text;
  text.reserve(payload.size() + topic.size() + event.size() + 64);
  text.append(R"({"event":)").append(quoted(event)).append(R"(,"payload":)").append(payload);
  text.append(R"(,"ref":)").append(ref_text(ref)).append(R"(,"topic":)").append(quoted(topic)).append("}");
  return text;
}

}  // namespace

Result<ServerFrame, FrameError> read_server_frame(std::string_view text) {
  if (text.size() > kFrameBytesMax) return err(FrameError::too_large);
  const JsonDocument document(text);
  if (document.failed()) return err(FrameError::not_json);
  const auto envelope = read_envelope(document.root());
  if (!envelope) return err(FrameError::bad_shape);
  if (envelope->event == kReplyEvent) return read_reply(*envelope);
  if (envelope->event == kErrorEvent) return ChannelError{};
  if (envelope->event == kCloseEvent) return ChannelClosed{};
  if (envelope->event == kDisconnectEvent) return read_disconnect(*envelope);
  if (!envelope->payload) return err(FrameError::bad_shape);
  return Push{.event = std::string(envelope->event), .payload = simdjson::minify(*envelope->payload)};
}

Result<ProgramFrame, FrameError> read_program_frame(std::string_view text) {
  if (text.size() > kFrameBytesMax) return err(FrameError::too_large);
  const JsonDocument document(text);
  if (document.failed()) return err(FrameError::not_json);
  const auto envelope = read_envelope(document.root());
  if (!envelope || !envelope->payload || !envelope->has_ref) return err(FrameError::bad_shape);
  return ProgramFrame{.topic = std::string(envelope->topic),
                      .event = std::string(envelope->event),
                      .payload = simdjson::minify(*envelope->payload),
                      .ref = envelope->ref};
}

std::string write_frame(std::string_view topic, std::string_view event, std::string_view payload, std::uint64_t ref) {
  std::string text;
  text.reserve(payload.size() + topic.size() + event.size() + 64);
  text.append(R"({"topic":)").append(quoted(topic)).append(R"(,"event":)").append(quoted(event));
  text.append(R"(,"payload":)").append(payload).append(R"(,"ref":)").append(std::to_string(ref)).append("}");
  return text;
}

std::string write_push(std::string_view topic, std::string_view event, std::string_view payload) {
  return write_server_frame(topic, event, payload, std::nullopt);
}

std::string write_ok(std::string_view topic, std::optional<std::uint64_t> ref) {
  return write_server_frame(topic, kReplyEvent, R"({"response":{},"status":"ok"})", ref);
}

std::string write_error(std::string_view topic, std::optional<std::uint64_t> ref, std::string_view reason) {
  return write_server_frame(topic, kReplyEvent, R"({"response":{"reason":)" + quoted(reason) + R"(},"status":"error"})",
                            ref);
}

}  // namespace fireline::portal
