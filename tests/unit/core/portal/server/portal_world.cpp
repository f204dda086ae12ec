#include "tests/unit/core/portal/server/portal_world.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/crypto/sha256.h"
#include "core/portal/credentials.h"
#include "core/portal/login_url.h"

namespace fireline::portal {
namespace {

crypto::PublicKey key_of(std::string_view name) {
  return {.bytes = crypto::sha256({std::as_bytes(std::span(name))})};
}

std::string device_of(const std::string& name) {
  return name.substr(0, name.find('.'));
}

}  // namespace

PortalWorld::PortalWorld(policy::Document first) : document(std::make_shared<policy::Document>(std::move(first))) {
  store.add_token("alice", TokenKind::client, "alice");
  store.add_token("robot", TokenKind::client, "robot");
  store.add_token("lab", TokenKind::gateway, "lab");
  store.add_token("away", TokenKind::gateway, "away");
  store.add_token("relay", TokenKind::relay, "");
  store.add_token("relay2", TokenKind::relay, "");
  begin();
}

void PortalWorld::begin() {
  plane = std::make_unique<ControlPlane>(document, store, grants, random, now);
  plane->set_unsent_bytes([this](ConnectionId id) {
    const auto found = owed_.find(id);
    return found == owed_.end() ? 0 : found->second;
  });
}

unsigned PortalWorld::connect(Role role, const std::string& name, const std::string& token, const std::string& key,
                              const std::string& agent) {
  const LoginIdentity identity{.role = role,
                               .token = crypto::SecretText(token),
                               .external_id = device_of(name),
                               .name = name,
                               .ipv4 = {},
                               .ipv6 = {},
                               .device_serial = {},
                               .device_uuid = {},
                               .public_key = key_of(key.empty() ? name : key)};
  const std::string target =
      role == Role::relay ? "/relay/websocket?token=" + token + "&ipv4=" + key + "&port=3478"
                          : std::string(LoginUrl(PortalUrl::parse("ws://portal:8081").value(), identity).target());
  const char* const component[] = {"headless-client/1.5.5", "gateway/1.4.19", "relay/0.1.0"};
  const auto user_agent = "Debian/12.0.0 " + (agent.empty() ? component[static_cast<int>(role)] : agent) + " (x86_64)";
  const auto id = ConnectionId(next_connection_++);
  const auto admitted = plane->admit(
      id, {.target = target, .user_agent = user_agent, .authorization = {}, .source = IpAddress::parse(source).value()},
      now);
  if (!admitted) return admitted.error().status;
  connections_[name] = id;
  names_[id] = name;
  roles_[name] = role;
  return 101;
}

void PortalWorld::join(const std::string& name) {
  const auto topic = name_of(roles_.at(name));
  nlohmann::json payload;
  if (roles_.at(name) == Role::relay) payload = {{"stamp_secret", relay_secrets_.at(name)}};
  send(name, nlohmann::json{{"topic", topic}, {"event", "phx_join"}, {"payload", payload}, {"ref", 0}}.dump());
}

void PortalWorld::client(const std::string& name, const std::string& token, const std::string& key,
                         const std::string& agent) {
  ASSERT_EQ(connect(Role::client, name, token, key, agent), 101u);
  join(name);
  lines_.clear();
}

void PortalWorld::gateway(const std::string& name, const std::string& token, const std::string& key,
                          const std::string& agent) {
  ASSERT_EQ(connect(Role::gateway, name, token, key, agent), 101u);
  join(name);
  lines_.clear();
}

void PortalWorld::relay(const std::string& name, const std::string& secret, const std::string& address,
                        const std::string& token) {
  ASSERT_EQ(connect(Role::relay, name, token, address), 101u);
  relay_secrets_[name] = secret;
  join(name);
}

void PortalWorld::close(const std::string& name) {
  plane->closed(connections_.at(name), now);
  drain();
}

void PortalWorld::send(const std::string& name, const std::string& frame) {
  plane->text(connections_.at(name), frame, now);
  drain();
}

void PortalWorld::say(const std::string& name, const std::string& event, const nlohmann::json& payload) {
  send(name,
       nlohmann::json{{"topic", name_of(roles_.at(name))}, {"event", event}, {"payload", payload}, {"ref", 5}}.dump());
}

void PortalWorld::ask(const std::string& client, const std::string& resource, std::vector<std::string> connected) {
  for (std::string& gateway : connected) gateway = id_text(gateway);
  say(client, "create_flow", {{"resource_id", id_text(resource)}, {"connected_gateway_ids", connected}});
}

void PortalWorld::agree(const std::string& gateway) {
  say(gateway, "flow_authorized", {{"ref", refs_.at(gateway)}});
}

// In steps as a loop makes them: whatever is due in between happens at its time.
void PortalWorld::pass(Duration time) {
  const Now end{now.boot + time, now.wall + time};
  while (plane->poll_timeout() <= end.boot) {
    const Duration step = std::max(plane->poll_timeout() - now.boot, Duration::zero());
    now = {now.boot + step, now.wall + step};
    plane->handle_timeout(now);
    drain();
  }
  now = end;
}

void PortalWorld::set(policy::Document next) {
  document = std::make_shared<policy::Document>(std::move(next));
  plane->set_policy(document, now);
  drain();
}

void PortalWorld::restart() {
  begin();
  connections_.clear();
  lines_.clear();
}

std::vector<std::string> PortalWorld::lines() {
  drain();
  return std::exchange(lines_, {});
}

void PortalWorld::drain() {
  while (auto action = plane->poll_action()) {
    if (const auto* sent = std::get_if<SendFrame>(&*action)) {
      const auto& name = names_.at(sent->to);
      const auto frame = nlohmann::json::parse(sent->shared ? *sent->shared : sent->text);
      lines_.push_back(name + " < " + describe(name, frame));
      last_[name] = frame;
    } else if (const auto* close = std::get_if<CloseConnection>(&*action)) {
      lines_.push_back(names_.at(close->id) + " closed");
    }
  }
}

std::string PortalWorld::describe(const std::string& name, const nlohmann::json& frame) {
  const std::string event = frame.at("event");
  const auto& payload = frame.at("payload");
  if (event == "phx_reply") {
    const std::string status = payload.at("status");
    return status == "ok" ? status : status + ' ' + std::string(payload.at("response").at("reason"));
  }
  std::string line = event;
  const auto add = [&](const char* key) { line += ' ' + name_of_id(payload.at(key)); };
  if (event == "resource_deleted") return line + ' ' + name_of_id(payload);
  if (event == "resource_created_or_updated" || event == "resource_updated")
    return line + ' ' + name_of_id(payload.at("id"));
  if (event == "authorize_flow") {
    refs_[name] = payload.at("ref");
    line += ' ' + name_of_id(payload.at("client").at("id")) + ' ' + name_of_id(payload.at("resource").at("id"));
  }
  for (const char* key : {"client_id", "resource_id", "gateway_id"}) {
    if (payload.is_object() && payload.contains(key)) add(key);
  }
  if (event == "flow_creation_failed") line += ' ' + std::string(payload.at("reason"));
  if (event == "relays_presence") {
    line += " gone:";
    for (const auto& id : payload.at("disconnected_ids")) line += ' ' + name_of_id(id);
    line += " there:";
    for (const auto& entry : payload.at("connected")) line += ' ' + name_of_id(entry.at("id"));
  }
  if (event == "init" && payload.contains("resources")) {
    for (const auto& resource : payload.at("resources")) line += ' ' + name_of_id(resource.at("id"));
  }
  if (event == "init" && payload.contains("authorizations")) {
    for (const auto& grant : payload.at("authorizations")) {
      line += ' ' + name_of_id(grant.at("client_id")) + ':' + name_of_id(grant.at("resource_id"));
    }
  }
  return line;
}

std::string PortalWorld::name_of_id(const std::string& text) const {
  const Uuid id = Uuid::parse(text).value();
  for (const auto& [relay, secret] : relay_secrets_) {
    if (relay_id(secret) == id) return secret;
  }
  std::string name(id.bytes.begin(), id.bytes.end());
  return name.substr(0, name.find('\0'));
}

std::string PortalWorld::id_text(const std::string& name) const {
  return policy::id_of(name).to_string();
}

}  // namespace fireline::portal
