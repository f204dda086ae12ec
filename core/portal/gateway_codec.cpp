#include "core/portal/gateway_codec.h"

#include "core/portal/codec_limits.h"
#include "core/portal/common_codec.h"

namespace fireline::portal {
namespace {

using policy::GatewayResource;
using policy::ResourceKind;
using simdjson::dom::element;

constexpr std::string_view kAuthorizeFlow = "authorize_flow";
constexpr std::string_view kExpiryUpdated = "access_authorization_expiry_updated";
constexpr std::string_view kRejectAccess = "reject_access";
constexpr std::string_view kResourceUpdated = "resource_updated";
constexpr std::string_view kFlowAuthorized = "flow_authorized";

constexpr std::string_view kPeer = "client_id";
constexpr std::string_view kPeers = "client_ids";

GatewayResource read_resource(JsonFields fields, JsonFields& message) {
  GatewayResource resource;
  const auto type = fields.text("type", kFieldBytesMax);
  resource.id = fields.id("id");
  if (type == "internet") {
    resource.kind = ResourceKind::internet;
    resource.name = policy::kInternetResourceName;
  } else if (type == "dns" || type == "cidr") {
    resource.kind = type == "dns" ? ResourceKind::dns : ResourceKind::cidr;
    if (type == "dns") resource.pattern = fields.text("address", kFieldBytesMax);
    if (type == "cidr") resource.network = fields.cidr("address");
    resource.name = fields.text("name", kFieldBytesMax);
    const auto filters = fields.array("filters", policy::kFiltersMax);
    resource.filters = read_filters(filters, fields);
  } else {
    fields.fail();
  }
  if (fields.failed()) message.fail();
  return resource;
}

GatewayInit read_init(JsonFields& fields) {
  GatewayInit init;
  init.interface = read_interface(fields.object("interface"), fields);
  JsonFields config = fields.object("config");
  config.require_bool("ipv4_masquerade_enabled");
  config.require_bool("ipv6_masquerade_enabled");
  if (config.failed()) fields.fail();
  init.relays = read_relays(fields, "relays", true);
  init.account_slug = fields.optional_text("account_slug", kFieldBytesMax);
  if (!fields.has("authorizations")) return init;
  init.authorizations.emplace();
  for (const element& each : fields.optional_array("authorizations", kAuthorizationsMax)) {
    JsonFields grant(each);
    init.authorizations->push_back({.client = grant.id("client_id"),
                                    .resource = grant.id("resource_id"),
                                    .expires_at = grant.timestamp("expires_at")});
    if (grant.failed()) fields.fail();
  }
  return init;
}

void read_client(JsonFields client, AuthorizeFlow& flow, JsonFields& message) {
  flow.client = client.id("id");
  flow.client_key = client.public_key("public_key");
  flow.preshared_key = client.secret_key("preshared_key");
  flow.client_ipv4 = client.address("ipv4", Family::v4);
  flow.client_ipv6 = client.address("ipv6", Family::v6);
  const auto text = [&client](std::string_view key) {
    return client.optional_text(key, kFieldBytesMax).value_or(std::string());
  };
  flow.description.version = text("version");
  flow.description.os_name = text("device_os_name");
  flow.description.os_version = text("device_os_version");
  flow.description.device_serial = text("device_serial");
  flow.description.device_uuid = text("device_uuid");
  if (client.failed()) message.fail();
}

void read_subject(JsonFields subject, ClientDescription& description, JsonFields& message) {
  const auto text = [&subject](std::string_view key) {
    return subject.optional_text(key, kFieldBytesMax).value_or(std::string());
  };
  description.actor_name = text("identity_name");
  description.actor_id = text("actor_id");
  description.actor_email = text("actor_email");
  if (subject.failed()) message.fail();
}

AuthorizeFlow read_authorize_flow(JsonFields& fields) {
  AuthorizeFlow flow;
  flow.ref = fields.text("ref", kFlowReferenceBytesMax);
  flow.resource = read_resource(fields.object("resource"), fields);
  read_client(fields.object("client"), flow, fields);
  flow.client_ice = read_ice(fields, "client_ice_credentials");
  flow.gateway_ice = read_ice(fields, "gateway_ice_credentials");
  if (!fields.is_null("expires_at")) flow.expires_at = fields.timestamp("expires_at");
  if (fields.has("subject")) read_subject(fields.object("subject"), flow.description, fields);
  return flow;
}

Json write_resource(const GatewayResource& resource) {
  Json json{{"id", resource.id.to_string()}, {"type", policy::name_of(resource.kind)}};
  if (resource.kind == ResourceKind::internet) return json;
  json["name"] = resource.name;
  json["address"] = resource.kind == ResourceKind::dns ? resource.pattern : resource.network.to_string();
  json["filters"] = write_filters(resource.filters);
  return json;
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

Json write_client(const AuthorizeFlow& flow) {
  return {{"id", flow.client.to_string()},
          {"public_key", flow.client_key.to_base64()},
          {"preshared_key", flow.preshared_key.to_base64()},
          {"ipv4", flow.client_ipv4.to_string()},
          {"ipv6", flow.client_ipv6.to_string()},
          {"version", text_or_null(flow.description.version)},
          {"device_os_name", text_or_null(flow.description.os_name)},
          {"device_os_version", text_or_null(flow.description.os_version)},
          {"device_serial", text_or_null(flow.description.device_serial)},
          {"device_uuid", text_or_null(flow.description.device_uuid)},
          {"identifier_for_vendor", nullptr},
          {"firebase_installation_id", nullptr}};
}

struct Writer {
  MessageText operator()(const GatewayInit& init) const {
    Json json{{"interface", write_addresses(init.interface)},
              {"config", Json{{"ipv4_masquerade_enabled", true}, {"ipv6_masquerade_enabled", true}}}};
    if (init.account_slug) json["account_slug"] = *init.account_slug;
    json["relays"] = write_relays(init.relays);
    if (init.authorizations) {
      json["authorizations"] = Json::array();
      for (const Authorization& grant : *init.authorizations) {
        json["authorizations"].push_back(Json{{"client_id", grant.client.to_string()},
                                              {"resource_id", grant.resource.to_string()},
                                              {"expires_at", grant.expires_at}});
      }
    }
    return {.event = kInitEvent, .payload = to_text(json)};
  }
  MessageText operator()(const RelaysPresence& presence) const {
    return {.event = kRelaysPresenceEvent, .payload = to_text(write_relays_presence(presence))};
  }
  MessageText operator()(const AuthorizeFlow& flow) const {
    const Json json{{"ref", flow.ref},
                    {"resource", write_resource(flow.resource)},
                    {"client", write_client(flow)},
                    {"subject", Json{{"identity_id", nullptr},
                                     {"identity_name", text_or_null(flow.description.actor_name)},
                                     {"actor_id", text_or_null(flow.description.actor_id)},
                                     {"actor_email", text_or_null(flow.description.actor_email)}}},
                    {"client_ice_credentials", write_ice(flow.client_ice)},
                    {"gateway_ice_credentials", write_ice(flow.gateway_ice)},
                    {"expires_at", flow.expires_at ? Json(*flow.expires_at) : Json()}};
    return {.event = kAuthorizeFlow, .payload = to_text(json)};
  }
  MessageText operator()(const AuthorizationExpiryUpdated& message) const {
    const Json json{{"client_id", message.client.to_string()},
                    {"resource_id", message.resource.to_string()},
                    {"expires_at", message.expires_at}};
    return {.event = kExpiryUpdated, .payload = to_text(json)};
  }
  MessageText operator()(const RejectAccess& message) const {
    const Json json{{"client_id", message.client.to_string()}, {"resource_id", message.resource.to_string()}};
    return {.event = kRejectAccess, .payload = to_text(json)};
  }
  MessageText operator()(const ResourceUpdated& message) const {
    return {.event = kResourceUpdated, .payload = to_text(write_resource(message.resource))};
  }
  MessageText operator()(const IceCandidates& candidates) const { return write_candidates(candidates, kPeer); }
};

// `message`, unless one of the fields that it was read from was wrong.
template <class Union, class T>
Result<Union, MessageError> checked(const JsonFields& fields, T message) {
  if (fields.failed()) return err(MessageError::bad_payload);
  return Union(std::move(message));
}

}  // namespace

Result<PortalToGateway, MessageError> read_portal_to_gateway(std::string_view event, std::string_view payload) {
  const JsonDocument document(payload);
  if (document.failed()) return err(MessageError::not_json);
  JsonFields fields(document.root());
  using Union = PortalToGateway;
  if (event == kInitEvent) {
    auto init = read_init(fields);
    return checked<Union>(fields, std::move(init));
  }
  if (event == kRelaysPresenceEvent) {
    auto presence = read_relays_presence(fields);
    return checked<Union>(fields, std::move(presence));
  }
  if (event == kAuthorizeFlow) {
    auto flow = read_authorize_flow(fields);
    return checked<Union>(fields, std::move(flow));
  }
  if (event == kExpiryUpdated) {
    AuthorizationExpiryUpdated updated{.client = fields.id("client_id"),
                                       .resource = fields.id("resource_id"),
                                       .expires_at = fields.timestamp("expires_at")};
    return checked<Union>(fields, updated);
  }
  if (event == kRejectAccess) {
    RejectAccess reject{.client = fields.id("client_id"), .resource = fields.id("resource_id")};
    return checked<Union>(fields, reject);
  }
  if (event == kResourceUpdated) {
    ResourceUpdated updated{read_resource(fields, fields)};
    return checked<Union>(fields, std::move(updated));
  }
  if (event == kCandidatesEvent || event == kInvalidateEvent) {
    auto candidates = read_candidates(fields, kPeer, event == kInvalidateEvent);
    return checked<Union>(fields, std::move(candidates));
  }
  return err(MessageError::unknown_event);
}

Result<GatewayRequest, MessageError> read_gateway_to_portal(std::string_view event, std::string_view payload) {
  const JsonDocument document(payload);
  if (document.failed()) return err(MessageError::not_json);
  JsonFields fields(document.root());
  if (event == kFlowAuthorized) {
    FlowAuthorized authorized{fields.text("ref", kFlowReferenceBytesMax)};
    return checked<GatewayRequest>(fields, std::move(authorized));
  }
  if (event == kBroadcastEvent || event == kBroadcastInvalidatedEvent) {
    auto broadcast = read_broadcast(fields, kPeers, event == kBroadcastInvalidatedEvent);
    return checked<GatewayRequest>(fields, std::move(broadcast));
  }
  return err(MessageError::unknown_event);
}

MessageText write(const GatewayToPortal& message) {
  if (const auto* candidates = std::get_if<IceCandidates>(&message)) return write_broadcast(*candidates, kPeers);
  return {.event = kFlowAuthorized, .payload = to_text(Json{{"ref", std::get<FlowAuthorized>(message).ref}})};
}

MessageText write(const PortalToGateway& message) {
  return std::visit(Writer{}, message);
}

}  // namespace fireline::portal
