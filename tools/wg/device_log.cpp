#include "tools/wg/device_log.h"

#include <spdlog/spdlog.h>

#include <string>

namespace fireline::wg {
namespace {

using Kind = wireguard::DeviceEvent::Kind;

std::string_view sentence_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::peer_created:
      return "peer created";
    case Kind::peer_removed:
      return "peer removed";
    case Kind::handshake_initiated:
      return "handshake initiation sent";
    case Kind::handshake_answered:
      return "handshake response sent";
    case Kind::handshake_completed:
      return "handshake completed";
    case Kind::handshake_given_up:
      return "no handshake response, giving up until there is a packet to send";
    case Kind::keys_zeroed:
      return "session keys erased after 540 s without a new handshake";
    case Kind::endpoint_roamed:
      return "endpoint changed";
    case Kind::goodbye_received:
      return "goodbye received";
    case Kind::data_moved:
      return "a watched peer sends or receives again";
    case Kind::under_load:
      return "under load: handshakes need a cookie";
  }
  return "";
}

}  // namespace

void log_event(std::string_view interface_name, const wireguard::DeviceEvent& event) {
  if (event.kind == Kind::under_load) {
    spdlog::warn("{}: {}", interface_name, sentence_of(event.kind));
    return;
  }
  // Enough of the key to tell peers apart, as wireguard-go shortens it.
  const auto key = event.peer.to_base64();
  spdlog::debug("{}: peer({}…{}) {}: {}", interface_name, key.substr(0, 4), key.substr(39, 4),
                event.endpoint ? event.endpoint->to_string() : "no endpoint", sentence_of(event.kind));
}

}  // namespace fireline::wg
