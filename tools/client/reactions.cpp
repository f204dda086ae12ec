#include "tools/client/reactions.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "core/crypto/x25519.h"
#include "core/portal/client_codec.h"
#include "tools/tunnel/ignored_messages.h"
#include "tools/tunnel/log_text.h"

namespace fireline::client {

using tunnel::Client;

void Reactions::on_message(std::string_view event, std::string_view payload) {
  const auto message = portal::read_portal_to_client(event, payload);
  if (!message) return tunnel::ignore_message(event, message.error());
  if (const auto* init = std::get_if<portal::ClientInit>(&*message)) {
    spdlog::info("the portal knows this client as {} and {}, {} resources, {} skipped, {} relays",
                 init->interface.ipv4.to_string(), init->interface.ipv6.to_string(), init->resources.size(),
                 init->skipped, init->relays.size());
  }
  outside_.engine.run([&](Client& client, Now now, packet::Output& output) { client.handle(now, *message, output); });
}

void Reactions::on_event(const tunnel::ClientEvent& event) {
  std::visit([this](const auto& one) { handle(one); }, event);
}

void Reactions::handle(const tunnel::TunChanged&) {
  std::optional<tunnel::TunConfiguration> tun;
  outside_.engine.run([&](Client& client, Now, packet::Output&) { tun = client.take_tun_configuration(); });
  if (!tun) return;  // it changed back
  if (const auto done = outside_.host.set_addresses(tun->ipv4, tun->ipv6); !done) return outside_.fatal(done.error());
  if (const auto done = outside_.host.set_routes(tun->routes); !done) return outside_.fatal(done.error());
  if (!std::exchange(ready_, true)) outside_.ready();
}

void Reactions::handle(const tunnel::ResourcesChanged&) {
  std::optional<tunnel::ResourceList> list;
  outside_.engine.run([&](Client& client, Now, packet::Output&) { list = client.take_resource_list(); });
  if (list) resources_ = std::move(*list);
}

void Reactions::handle(const tunnel::RelaysWanted&) {
  spdlog::info("no relay is known: asking the portal");
  outside_.portal.ask_for_relays();
}

void Reactions::handle(const portal::CreateFlow& message) {
  spdlog::info("{}: asking the portal for a gateway", name_of_resource(message.resource));
  outside_.portal.send(portal::write(portal::ClientToPortal(message)));
}

void Reactions::handle(const portal::IceCandidates& message) {
  outside_.portal.send(portal::write(portal::ClientToPortal(message)));
}

void Reactions::handle(const tunnel::FlowReport& report) {
  spdlog::info("{}: {}", name_of_resource(report.resource), tunnel::name_of(report.outcome));
}

void Reactions::handle(const tunnel::GatewayReport& report) {
  tunnel::log_connection("gateway " + report.gateway.to_string(), report.kind, report.reason, report.path);
}

bool Reactions::hang_up(Now now) {
  if (network_changed_ && now.boot - *network_changed_ < kSameChange) {
    spdlog::info("SIGHUP: the session was reset for this network just now");
    return false;
  }
  reset("SIGHUP");
  return true;
}

void Reactions::change_network(Now now, std::string_view sentence) {
  network_changed_ = now.boot;
  reset(sentence);
}

// What the engine has told so far goes out before the login with another key, which makes the channel forget it:
// candidates of the earlier connections are of no use to anybody.
void Reactions::reset(std::string_view why) {
  spdlog::info("session reset: {}", why);
  outside_.engine.handle_events();
  const auto key = crypto::generate_private_key(outside_.random);
  outside_.engine.run([&](Client& client, Now now, packet::Output& output) { client.reset(now, key, output); });
  if (const auto wrong = outside_.engine.rebind(); !wrong.empty()) spdlog::error("{}", wrong);
  outside_.portal.log_in(crypto::public_key(key));
}

std::string Reactions::name_of_resource(const Uuid& id) const {
  const auto found = std::ranges::find(resources_, id, &tunnel::ResourceView::id);
  return found == resources_.end() ? id.to_string() : fmt::format("{} ({})", found->name, id.to_string());
}

}  // namespace fireline::client
