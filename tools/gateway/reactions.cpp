#include "tools/gateway/reactions.h"

#include <spdlog/spdlog.h>

#include <variant>

#include "core/portal/gateway_codec.h"
#include "platform/linux/routing.h"
#include "tools/tunnel/ignored_messages.h"
#include "tools/tunnel/log_text.h"

namespace fireline::gateway {

using tunnel::Gateway;

void Reactions::on_message(std::string_view event, std::string_view payload) {
  const auto message = portal::read_portal_to_gateway(event, payload);
  if (!message) return tunnel::ignore_message(event, message.error());
  outside_.engine.run(
      [&](Gateway& gateway, Now now, packet::Output& output) { gateway.handle(now, *message, output); });
  // Who is connected keeps packets flowing: the engine takes relays and grants over first.
  if (const auto* init = std::get_if<portal::GatewayInit>(&*message)) {
    spdlog::info("the portal knows this gateway as {} and {}, {} relays", init->interface.ipv4.to_string(),
                 init->interface.ipv6.to_string(), init->relays.size());
    apply(init->interface);
  }
}

void Reactions::apply(const portal::Interface& interface) {
  if (const auto done = outside_.host.set_addresses(interface.ipv4, interface.ipv6); !done) {
    return outside_.fatal(done.error());
  }
  if (const auto done = outside_.host.set_routes(platform::gateway_routes()); !done) {
    return outside_.fatal(done.error());
  }
  outside_.ready();
}

void Reactions::on_event(const tunnel::GatewayEvent& event) {
  std::visit([this](const auto& one) { handle(one); }, event);
}

void Reactions::handle(const portal::FlowAuthorized& message) {
  outside_.portal.send(portal::write(portal::GatewayToPortal(message)));
}

void Reactions::handle(const portal::IceCandidates& message) {
  outside_.portal.send(portal::write(portal::GatewayToPortal(message)));
}

void Reactions::handle(const tunnel::RelaysWanted&) {
  spdlog::info("no relay is known: asking the portal");
  outside_.portal.ask_for_relays();
}

void Reactions::handle(const tunnel::GrantReport& report) {
  using tunnel::GrantOutcome;
  // Without relays or addresses the client asks again and is served; the rest is the portal's mistake, or a limit.
  const bool usual = report.outcome == GrantOutcome::granted || report.outcome == GrantOutcome::no_interface ||
                     report.outcome == GrantOutcome::no_relays;
  spdlog::log(usual ? spdlog::level::info : spdlog::level::warn, "client {}: resource {}: {}",
              report.client.to_string(), report.resource.to_string(), tunnel::name_of(report.outcome));
}

void Reactions::handle(const tunnel::ClientGone& gone) {
  spdlog::info("client {}: its last grant is gone: {}", gone.client.to_string(), tunnel::name_of(gone.reason));
}

void Reactions::handle(const tunnel::ClientReport& report) {
  tunnel::log_connection("client " + report.client.to_string(), report.kind, report.reason, report.path);
}

}  // namespace fireline::gateway
