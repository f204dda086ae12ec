#include "tools/relay/event_log.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <string_view>

namespace fireline::relay {
namespace {

constexpr std::uint16_t kAllocateMethod = 3;

std::string_view method_name(std::uint16_t method) noexcept {
  switch (method) {
    case 1:
      return "binding";
    case kAllocateMethod:
      return "allocate";
    case 4:
      return "refresh";
    case 6:
      return "send";
    case 8:
      return "createpermission";
    case 9:
      return "channelbind";
    default:
      return "unknown";
  }
}

std::string_view families_text(const Families& families) noexcept {
  if (families.v4 && families.v6) return "ipv4+ipv6";
  return families.v6 ? "ipv6" : "ipv4";
}

spdlog::level::level_enum level_of_refusal(const Event& event) noexcept {
  switch (event.error_code) {
    case 401:  // the first request of every client
    case 438:
      return spdlog::level::debug;
    case 437:  // Allocate: a retransmission; the others: the client's allocation is gone, and it makes a new one
      return event.method == kAllocateMethod ? spdlog::level::debug : spdlog::level::info;
    default:
      return spdlog::level::warn;
  }
}

std::string channel_text(std::string_view what, const Event& event) {
  return fmt::format("{}: client={} allocation={} channel={:#06x} peer={}", what, event.client.to_string(), event.port,
                     event.channel, event.peer.to_string());
}

std::string allocation_text(std::string_view what, const Event& event) {
  return fmt::format("{}: client={} allocation={}", what, event.client.to_string(), event.port);
}

std::string text_of(const Event& event) {
  switch (event.kind) {
    case EventKind::binding_answered:
      return fmt::format("binding answered: client={}", event.client.to_string());
    case EventKind::allocation_created:
      return fmt::format("{} family={} lifetime={}s", allocation_text("allocation created", event),
                         families_text(event.families), event.lifetime_seconds);
    case EventKind::allocation_refreshed:
      return fmt::format("{} lifetime={}s", allocation_text("allocation refreshed", event), event.lifetime_seconds);
    case EventKind::allocation_deleted:
      return allocation_text("allocation deleted", event);
    case EventKind::allocation_expired:
      return allocation_text("allocation expired", event);
    case EventKind::channel_bound:
      return channel_text("channel bound", event);
    case EventKind::channel_refreshed:
      return channel_text("channel refreshed", event);
    case EventKind::channel_expired:
      return channel_text("channel expired", event);
    case EventKind::channel_deleted:
      return channel_text("channel deleted", event);
    case EventKind::permission_installed:
      return fmt::format("{} peer={}", allocation_text("permission installed", event), event.peer.address.to_string());
    case EventKind::request_refused:
      return fmt::format("request refused: method={} error={} sender={}", method_name(event.method), event.error_code,
                         event.client.to_string());
    case EventKind::request_unanswered:
      return fmt::format("request not answered, its username has no password: method={} sender={}",
                         method_name(event.method), event.client.to_string());
  }
  return "unknown event";
}

}  // namespace

spdlog::level::level_enum level_of(const Event& event) noexcept {
  if (event.kind == EventKind::request_refused) return level_of_refusal(event);
  return event.kind == EventKind::request_unanswered ? spdlog::level::warn : spdlog::level::info;
}

EventLine line_of(const Event& event) {
  return {.level = level_of(event), .text = text_of(event)};
}

void EventLog::write(const Event& event, Instant now) {
  const auto level = level_of(event);
  if (!spdlog::should_log(level)) return;
  if (now - second_ >= std::chrono::seconds(1)) {
    if (left_out_ != 0) spdlog::warn("{} log lines of client requests were left out", left_out_);
    second_ = now;
    lines_ = 0;
    left_out_ = 0;
  }
  if (lines_ == kLinesPerSecond) {
    ++left_out_;
    return;
  }
  ++lines_;
  spdlog::log(level, "{}", text_of(event));
}

}  // namespace fireline::relay
