#include "tools/relay/portal_connection.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "core/portal/relay_codec.h"
#include "core/portal/user_agent.h"
#include "platform/linux/device_info.h"

namespace fireline::relay {
namespace {

PortalSessionOptions session_options(const RelayOptions& options, const FirezoneCredentials& credentials) {
  const auto host = platform::device_info();
  return {.url = options.portal->url,
          .identity = {.role = portal::Role::relay,
                       .token = options.portal->token,
                       .external_id = {},
                       .name = options.portal->name,
                       .ipv4 = options.public_ip4,
                       .ipv6 = options.public_ip6,
                       .port = options.listen_port,
                       .device_serial = {},
                       .device_uuid = {},
                       .public_key = {}},
          .user_agent = portal::user_agent(
              {.os = host.os_name, .os_version = host.os_version, .arch = host.architecture, .kernel = host.kernel},
              portal::Role::relay),
          .join_payload = portal::write_relay_join(credentials.secret()),
          .give_up_after = options.portal->patience,
          .mark = {},
          .ca_file = options.portal->ca_file,
          .dns_servers = {}};
}

}  // namespace

std::string_view name_of(PortalCounter counter) noexcept {
  return counter == PortalCounter::init ? "portal.init" : "portal.drop.unknown_message";
}

Result<std::unique_ptr<PortalConnection>, std::string> PortalConnection::open(
    io::EventLoop& loop, crypto::Random& random, const RelayOptions& options, const FirezoneCredentials& credentials,
    std::function<void(const std::string& sentence)> fatal) {
  std::unique_ptr<PortalConnection> connection(new PortalConnection(std::move(fatal)));
  auto* const self = connection.get();
  auto session = PortalSession::make(
      loop, random, session_options(options, credentials),
      {.message = [self](std::string_view event, std::string_view payload) { self->on_message(event, payload); },
       .fatal = [self](const std::string& sentence, bool) { self->fatal_(sentence); },
       .state = [self](bool joined) { self->on_state(joined); },
       .closed = {},
       .lost = [self](const std::string& sentence, Duration retry_in) { self->on_lost(sentence, retry_in); }});
  if (!session) return err(std::move(session.error()));
  connection->session_ = std::move(*session);
  return connection;
}

void PortalConnection::on_message(std::string_view event, std::string_view payload) {
  if (portal::is_relay_init(event, payload)) return counters_.add(PortalCounter::init);
  counters_.add(PortalCounter::drop_unknown_message);
  spdlog::debug("the portal sent a message that no relay knows");
}

void PortalConnection::on_state(bool joined) {
  if (joined) spdlog::info("the portal {} hands out this relay", session_->status().url);
}

void PortalConnection::on_lost(const std::string& sentence, Duration retry_in) {
  spdlog::info("the portal is away: {}; next attempt in {} ms, relaying goes on", sentence,
               std::chrono::duration_cast<std::chrono::milliseconds>(retry_in).count());
}

void PortalConnection::add_to(RelayReport& report, Instant now) const {
  const auto status = session_->status();
  report.portal = PortalReport{.url = status.url,
                               .state = std::string(status.state),
                               .joined = status.joined,
                               .seconds = static_cast<std::uint64_t>(
                                   std::chrono::duration_cast<std::chrono::seconds>(now - status.since).count()),
                               .last_error = status.last_error};
  const auto add = [&report](std::string_view name, std::uint64_t value) {
    report.counters.push_back({std::string(name), value});
  };
  session_->counters().for_each(add);
  counters_.for_each(add);
}

}  // namespace fireline::relay
