#include "relay/protocol/responder.h"

#include "core/stun/message_writer.h"

namespace fireline::relay {
namespace {

// RFC 8656 section 19 and RFC 8489 section 14.8, as the relay specification section 1.3 writes them.
constexpr std::string_view reason_of(std::uint16_t code) noexcept {
  switch (code) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 437:
      return "Allocation Mismatch";
    case 438:
      return "Stale Nonce";
    case 440:
      return "Address Family not Supported";
    case 441:
      return "Wrong Credentials";
    case 443:
      return "Peer Address Family Mismatch";
    case 486:
      return "Allocation Quota Reached";
    case 500:
      return "Server Error";
    case 508:
      return "Insufficient Capacity";
    default:
      return "";
  }
}

}  // namespace

bool Responder::may_answer_unauthenticated(Instant now, const Endpoint& client) {
  switch (limiter_.ask(now, client.address)) {
    case AnswerLimiter::Verdict::answer:
      return true;
    case AnswerLimiter::Verdict::source_limit:
      counters_.add(ServerCounter::drop_control_answer_rate_source);
      return false;
    case AnswerLimiter::Verdict::total_limit:
      break;
  }
  counters_.add(ServerCounter::drop_control_answer_rate_total);
  return false;
}

void Responder::send_unauthenticated(const Question& question, const Answer& answer) {
  constexpr struct {
    bool software;
    bool reason;
  } kForms[] = {{true, true}, {false, true}, {false, false}};
  for (const auto& form : kForms) {
    const ConstBytes message = write(question, answer, form.software, form.reason);
    if (ratio_tenths_ == 0 || message.size() * 10 <= question.bytes * ratio_tenths_) {
      return transmit(question, answer, message);
    }
  }
  counters_.add(ServerCounter::drop_control_answer_size);
}

void Responder::send(const Question& question, const Answer& answer) {
  transmit(question, answer, write(question, answer, true, true));
}

ConstBytes Responder::write(const Question& question, const Answer& answer, bool software, bool reason) {
  using stun::Attribute;
  const bool success = answer.error_code == 0;
  stun::MessageWriter writer(buffer_, success ? stun::MessageClass::success : stun::MessageClass::error,
                             question.header.method, question.header.transaction_id);
  if (software && !software_.empty()) writer.add_text(Attribute::software, software_);
  if (!success) writer.add_error_code(answer.error_code, reason ? reason_of(answer.error_code) : "");
  if (answer.nonce) {
    const auto text = answer.nonce->text();
    writer.add_text(Attribute::realm, realm_);
    writer.add_text(Attribute::nonce, {text.data(), text.size()});
  }
  if (answer.first_relayed) writer.add_xor_address(Attribute::xor_relayed_address, *answer.first_relayed);
  if (answer.second_relayed) writer.add_xor_address(Attribute::xor_relayed_address, *answer.second_relayed);
  if (answer.mapped) writer.add_xor_address(Attribute::xor_mapped_address, *answer.mapped);
  if (answer.lifetime_seconds) writer.add_u32(Attribute::lifetime, *answer.lifetime_seconds);
  if (answer.key) writer.add_integrity(answer.key->bytes());
  return writer.message();
}

void Responder::transmit(const Question& question, const Answer& answer, ConstBytes message) {
  responses_.add(question.method(), answer.error_code);
  host_.send_control(question.client, message);
}

}  // namespace fireline::relay
