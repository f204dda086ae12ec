#include "core/portal/client_codec.h"

#include <algorithm>

#include "core/portal/codec_limits.h"
#include "core/portal/common_codec.h"

namespace fireline::portal {
namespace {

using policy::ClientResource;
using policy::IpStack;
using policy::ResourceKind;
using simdjson::dom::element;

constexpr std::string_view kConfigChanged = "config_changed";
constexpr std::string_view kResourceCreatedOrUpdated = "resource_created_or_updated";
constexpr std::string_view kResourceDeleted = "resource_deleted";
constexpr std::string_view kFlowCreated = "flow_created";
constexpr std::string_view kFlowCreationFailed = "flow_creation_failed";
constexpr std::string_view kCreateFlow = "create_flow";

constexpr std::string_view kPeer = "gateway_id";
constexpr std::string_view kPeers = "gateway_ids";

std::vector<policy::Site> read_sites(JsonFields& resource) {
  std::vector<policy::Site> sites;
  const std::string_view key = resource.has("gateway_groups") ? "gateway_groups" : "sites";
  for (const element& each : resource.array(key, kSitesMax)) {
    JsonFields fields(each);
    sites.push_back({.id = fields.id("id"), .name = fields.text("name", kFieldBytesMax)});
    if (fields.failed()) resource.fail();
  }
  return sites;
}

IpStack read_ip_stack(JsonFields& resource) {
  const auto text = resource.optional_text("ip_stack", kFieldBytesMax);
  if (!text || *text == "dual") return IpStack::dual;
  if (*text == "ipv4_only") return IpStack::ipv4_only;
  if (*text != "ipv6_only") resource.fail();
  return IpStack::ipv6_only;
}

// Firezone's clients do not look at them, so that nothing about them loses a resource. What cannot be read permits
// nothing.
policy::FilterList read_client_filters(const JsonFields& resource) {
  const auto filters = resource.find("filters");
  if (!filters) return {};
  JsonFields scratch = resource;
  const auto elements = scratch.optional_array("filters", policy::kFiltersMax);
  policy::FilterList list = read_filters(elements, scratch);
  if (scratch.failed()) return {.filters = {}, .skipped = true};
  return list;
}

Result<ClientResource, MessageError> read_resource(const element& value) {
  JsonFields fields(value);
  ClientResource resource;
  const auto type = fields.text("type", kFieldBytesMax);
  if (fields.failed()) return err(MessageError::bad_payload);
  if (type == "dns") {
    resource.kind = ResourceKind::dns;
    resource.pattern = fields.text("address", kFieldBytesMax);
    resource.ip_stack = read_ip_stack(fields);
  } else if (type == "cidr") {
    resource.kind = ResourceKind::cidr;
    resource.network = fields.cidr("address");
  } else if (type == "internet") {
    resource.kind = ResourceKind::internet;
    resource.name = policy::kInternetResourceName;
  } else {
    return err(MessageError::unsupported);
  }
  resource.id = fields.id("id");
  if (resource.kind != ResourceKind::internet || fields.has("name")) {
    resource.name = fields.text("name", kFieldBytesMax);
  }
  if (resource.kind != ResourceKind::internet) {
    resource.description = fields.optional_text("address_description", kFieldBytesMax);
    resource.filters = read_client_filters(fields);
  }
  resource.sites = read_sites(fields);
  if (fields.failed()) return err(MessageError::bad_payload);
  return resource;
}

ClientInit read_init(JsonFields& fields) {
  ClientInit init;
  init.interface = read_interface(fields.object("interface"), fields);
  for (const element& each : fields.optional_array("resources", kResourcesMax)) {
    auto resource = read_resource(each);
    if (resource) {
      init.resources.push_back(std::move(*resource));
    } else {
      ++init.skipped;
    }
  }
  init.relays = read_relays(fields, "relays", true);
  return init;
}

FlowCreated read_flow_created(JsonFields& fields) {
  FlowCreated flow;
  flow.resource = fields.id("resource_id");
  flow.gateway = fields.id("gateway_id");
  flow.site = fields.id(fields.has("gateway_group_id") ? "gateway_group_id" : "site_id");
  flow.gateway_key = fields.public_key("gateway_public_key");
  flow.gateway_ipv4 = fields.address("gateway_ipv4", Family::v4);
  flow.gateway_ipv6 = fields.address("gateway_ipv6", Family::v6);
  flow.preshared_key = fields.secret_key("preshared_key");
  flow.client_ice = read_ice(fields, "client_ice_credentials");
  flow.gateway_ice = read_ice(fields, "gateway_ice_credentials");
  return flow;
}

FlowCreationFailed read_flow_failure(JsonFields& fields) {
  FlowCreationFailed failure;
  failure.resource = fields.id("resource_id");
  failure.reason_text = fields.text("reason", kFieldBytesMax);
  if (failure.reason_text == "not_found") failure.reason = FlowFailure::not_found;
  if (failure.reason_text == "offline") failure.reason = FlowFailure::offline;
  if (failure.reason_text == "forbidden") failure.reason = FlowFailure::forbidden;
  for (const element& each : fields.optional_array("violated_properties", kUpstreamsMax)) {
    const auto text = as_text(each);
    if (!text) fields.fail();
    failure.violated_properties.emplace_back(text.value_or(""));
  }
  return failure;
}

std::string_view text_of(IpStack stack) noexcept {
  switch (stack) {
    case IpStack::dual:
      return "dual";
    case IpStack::ipv4_only:
      return "ipv4_only";
    case IpStack::ipv6_only:
      break;
  }
  return "ipv6_only";
}

Json write_resource(const ClientResource& resource) {
  Json json{{"id", resource.id.to_string()}, {"type", policy::name_of(resource.kind)}};
  const bool internet = resource.kind == ResourceKind::internet;
  if (!internet || resource.name != policy::kInternetResourceName) json["name"] = resource.name;
  if (!internet) {
    json["address"] = resource.kind == ResourceKind::dns ? resource.pattern : resource.network.to_string();
    json["address_description"] = resource.description ? Json(*resource.description) : Json();
  }
  if (resource.kind == ResourceKind::dns) json["ip_stack"] = text_of(resource.ip_stack);
  json["gateway_groups"] = Json::array();
  for (const policy::Site& site : resource.sites) {
    json["gateway_groups"].push_back(Json{{"id", site.id.to_string()}, {"name", site.name}});
  }
  if (internet) {
    json["can_be_disabled"] = true;
  } else {
    json["filters"] = write_filters(resource.filters);
  }
  return json;
}

struct Writer {
  MessageText operator()(const ClientInit& init) const {
    std::vector<std::string> texts;
    for (const ClientResource& resource : init.resources) texts.push_back(to_text(write_resource(resource)));
    return write_init(init.interface, std::vector<std::string_view>(texts.begin(), texts.end()), init.relays);
  }
  MessageText operator()(const ConfigChanged& changed) const {
    const Json json{{"interface", write_interface(changed.interface)}};
    return {.event = kConfigChanged, .payload = to_text(json)};
  }
  MessageText operator()(const ResourceCreatedOrUpdated& message) const {
    return {.event = kResourceCreatedOrUpdated, .payload = to_text(write_resource(message.resource))};
  }
  MessageText operator()(const ResourceDeleted& message) const {
    return {.event = kResourceDeleted, .payload = to_text(Json(message.resource.to_string()))};
  }
  MessageText operator()(const RelaysPresence& presence) const {
    return {.event = kRelaysPresenceEvent, .payload = to_text(write_relays_presence(presence))};
  }
  MessageText operator()(const FlowCreated& flow) const {
    const Json json{{"resource_id", flow.resource.to_string()},
                    {"gateway_id", flow.gateway.to_string()},
                    {"gateway_group_id", flow.site.to_string()},
                    {"gateway_public_key", flow.gateway_key.to_base64()},
                    {"gateway_ipv4", flow.gateway_ipv4.to_string()},
                    {"gateway_ipv6", flow.gateway_ipv6.to_string()},
                    {"preshared_key", flow.preshared_key.to_base64()},
                    {"client_ice_credentials", write_ice(flow.client_ice)},
                    {"gateway_ice_credentials", write_ice(flow.gateway_ice)}};
    return {.event = kFlowCreated, .payload = to_text(json)};
  }
  MessageText operator()(const FlowCreationFailed& failure) const {
    Json json{{"resource_id", failure.resource.to_string()}, {"reason", reason_of(failure)}};
    if (!failure.violated_properties.empty()) json["violated_properties"] = failure.violated_properties;
    return {.event = kFlowCreationFailed, .payload = to_text(json)};
  }
  MessageText operator()(const IceCandidates& candidates) const { return write_candidates(candidates, kPeer); }

  static std::string_view reason_of(const FlowCreationFailed& failure) noexcept {
    switch (failure.reason) {
      case FlowFailure::not_found:
        return "not_found";
      case FlowFailure::offline:
        return "offline";
      case FlowFailure::forbidden:
        return "forbidden";
      case FlowFailure::other:
        break;
    }
    return failure.reason_text;
  }
};

// `message`, unless one of the fields that it was read from was wrong.
template <class Union, class T>
Result<Union, MessageError> checked(const JsonFields& fields, T message) {
  if (fields.failed()) return err(MessageError::bad_payload);
  return Union(std::move(message));
}

}  // namespace

Result<PortalToClient, MessageError> read_portal_to_client(std::string_view event, std::string_view payload) {
  const JsonDocument document(payload);
  if (document.failed()) return err(MessageError::not_json);
  if (event == kResourceDeleted) {
    const auto id = as_id(document.root());
    if (!id) return err(MessageError::bad_payload);
    return ResourceDeleted{*id};
  }
  if (event == kResourceCreatedOrUpdated) {
    auto resource = read_resource(document.root());
    if (!resource) return err(resource.error());
    return ResourceCreatedOrUpdated{std::move(*resource)};
  }
  JsonFields fields(document.root());
  using Union = PortalToClient;
  if (event == kInitEvent) {
    auto init = read_init(fields);
    return checked<Union>(fields, std::move(init));
  }
  if (event == kConfigChanged) {
    ConfigChanged changed{read_interface(fields.object("interface"), fields)};
    return checked<Union>(fields, std::move(changed));
  }
  if (event == kRelaysPresenceEvent) {
    auto presence = read_relays_presence(fields);
    return checked<Union>(fields, std::move(presence));
  }
  if (event == kFlowCreated) {
    auto flow = read_flow_created(fields);
    return checked<Union>(fields, std::move(flow));
  }
  if (event == kFlowCreationFailed) {
    auto failure = read_flow_failure(fields);
    return checked<Union>(fields, std::move(failure));
  }
  if (event == kCandidatesEvent || event == kInvalidateEvent) {
    auto candidates = read_candidates(fields, kPeer, event == kInvalidateEvent);
    return checked<Union>(fields, std::move(candidates));
  }
  return err(MessageError::unknown_event);
}

Result<ClientRequest, MessageError> read_client_to_portal(std::string_view event, std::string_view payload) {
  const JsonDocument document(payload);
  if (document.failed()) return err(MessageError::not_json);
  JsonFields fields(document.root());
  if (event == kCreateFlow) {
    CreateFlow create{.resource = fields.id("resource_id"),
                      .connected_gateways = read_ids(fields, "connected_gateway_ids", kConnectedGatewaysMax)};
    return checked<ClientRequest>(fields, std::move(create));
  }
  if (event == kBroadcastEvent || event == kBroadcastInvalidatedEvent) {
    auto broadcast = read_broadcast(fields, kPeers, event == kBroadcastInvalidatedEvent);
    return checked<ClientRequest>(fields, std::move(broadcast));
  }
  return err(MessageError::unknown_event);
}

MessageText write(const ClientToPortal& message) {
  if (const auto* candidates = std::get_if<IceCandidates>(&message)) return write_broadcast(*candidates, kPeers);
  const auto& create = std::get<CreateFlow>(message);
  auto gateways = create.connected_gateways;
  std::ranges::sort(gateways);
  const Json json{{"resource_id", create.resource.to_string()}, {"connected_gateway_ids", write_ids(gateways)}};
  return {.event = kCreateFlow, .payload = to_text(json)};
}

MessageText write(const PortalToClient& message) {
  return std::visit(Writer{}, message);
}

MessageText write_init(const Interface& interface, std::span<const std::string_view> resources,
                       const RelayEntries& relays) {
  std::string text = R"({"interface":)" + to_text(write_interface(interface)) + R"(,"resources":[)";
  for (const std::string_view resource : resources) {
    text += resource;
    text += ',';
  }
  if (!resources.empty()) text.pop_back();
  text += R"(],"relays":)" + to_text(write_relays(relays)) + '}';
  return {.event = kInitEvent, .payload = std::move(text)};
}

}  // namespace fireline::portal
