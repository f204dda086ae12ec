// Any bytes as a payload, for each event and both sides: what is read is written and read again, and written alike.
// libraries: fireline_core_portal
// covers: core/portal/client_codec.cpp core/portal/gateway_codec.cpp core/portal/common_codec.cpp
// covers: core/portal/json_fields.cpp core/portal/relay_codec.cpp
// mutator: json
// The first byte chooses event and reader.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/portal/client_codec.h"
#include "core/portal/codec_limits.h"
#include "core/portal/gateway_codec.h"
#include "core/portal/relay_codec.h"

using namespace fireline;
using namespace fireline::portal;

namespace {

constexpr std::array<std::string_view, 8> kClientEvents = {"init",
                                                           "config_changed",
                                                           "resource_created_or_updated",
                                                           "resource_deleted",
                                                           "relays_presence",
                                                           "flow_created",
                                                           "flow_creation_failed",
                                                           "ice_candidates"};
constexpr std::array<std::string_view, 7> kGatewayEvents = {
    "init",          "relays_presence",  "authorize_flow",           "access_authorization_expiry_updated",
    "reject_access", "resource_updated", "invalidate_ice_candidates"};
constexpr std::array<std::string_view, 3> kRequests = {"create_flow", "flow_authorized", "broadcast_ice_candidates"};

void require(bool promise) {
  if (!promise) std::abort();
}

void check_values(const ResourceUpdated& message) {
  require(message.resource.filters.filters.size() <= policy::kFiltersMax);
}
// Seconds since 1970.
void check_values(const AuthorizationExpiryUpdated& message) {
  require(message.expires_at >= 0);
}
void check_values(const AuthorizeFlow& message) {
  require(message.expires_at.value_or(0) >= 0 && message.resource.filters.filters.size() <= policy::kFiltersMax);
}
void check_values(const GatewayInit& message) {
  if (!message.authorizations) return;
  require(message.authorizations->size() <= kAuthorizationsMax);
  for (const Authorization& one : *message.authorizations) require(one.expires_at >= 0);
}
template <class Other>
void check_values(const Other&) {}

template <class Read>
void check_round_trip(Read read, std::string_view event, std::string_view payload) {
  const auto message = read(event, payload);
  if (!message) return;
  const auto text = write(*message);
  require(text.event == event);
  const auto again = read(text.event, text.payload);
  require(again.has_value() && write(*again).payload == text.payload);
}

void check_request(std::string_view event, std::string_view payload) {
  if (const auto request = read_client_to_portal(event, payload)) {
    if (const auto* create = std::get_if<CreateFlow>(&*request)) {
      require(create->connected_gateways.size() <= kConnectedGatewaysMax);
      require(read_client_to_portal(event, write(ClientToPortal(*create)).payload).has_value());
    } else {
      const auto& broadcast = std::get<CandidateBroadcast>(*request);
      const auto pushed = write_candidates(Role::gateway, Uuid{}, broadcast);
      if (const auto received = read_portal_to_gateway(pushed.event, pushed.payload)) {
        (void)write(ClientToPortal(std::get<IceCandidates>(*received)));
      }
    }
  }
  if (const auto request = read_gateway_to_portal(event, payload)) {
    if (const auto* authorized = std::get_if<FlowAuthorized>(&*request)) {
      require(read_gateway_to_portal(event, write(GatewayToPortal(*authorized)).payload).has_value());
    } else {
      const auto pushed = write_candidates(Role::client, Uuid{}, std::get<CandidateBroadcast>(*request));
      if (const auto received = read_portal_to_client(pushed.event, pushed.payload)) {
        (void)write(GatewayToPortal(std::get<IceCandidates>(*received)));
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view payload(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t choice = data[0] % 20;
  if (choice < kClientEvents.size()) {
    check_round_trip(read_portal_to_client, kClientEvents[choice], payload);
  } else if (choice < kClientEvents.size() + kGatewayEvents.size()) {
    const auto event = kGatewayEvents[choice - kClientEvents.size()];
    check_round_trip(read_portal_to_gateway, event, payload);
    if (const auto message = read_portal_to_gateway(event, payload)) {
      std::visit([](const auto& one) { check_values(one); }, *message);
    }
  } else if (choice < kClientEvents.size() + kGatewayEvents.size() + kRequests.size()) {
    check_request(kRequests[choice - kClientEvents.size() - kGatewayEvents.size()], payload);
  } else {
    const auto secret = read_relay_join(payload);
    require(!secret || read_relay_join(write_relay_join(secret->view()).view()) == secret);
    (void)is_relay_init("init", payload);
    (void)read_portal_to_client("nope", payload);
    (void)read_portal_to_gateway("nope", payload);
  }
  return 0;
}
