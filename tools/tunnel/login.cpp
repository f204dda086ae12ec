#include "tools/tunnel/login.h"

#include <spdlog/spdlog.h>

#include "core/portal/device_identity.h"
#include "core/portal/user_agent.h"
#include "platform/linux/device_id.h"
#include "platform/linux/device_info.h"
#include "platform/linux/routing.h"

namespace fireline::tunnel {
namespace {

Result<std::string, std::string> configured_or_device_id(portal::Role role, const std::string& configured) {
  if (!configured.empty()) return configured;
  auto id = platform::device_id(role == portal::Role::gateway ? platform::gateway_device_id_place()
                                                              : platform::client_device_id_place());
  if (!id) return err(id.error().sentence);
  for (const auto& warning : id->warnings) spdlog::warn("{}", warning);
  return std::move(id->text);
}

}  // namespace

Result<PortalSessionOptions, std::string> make_login(portal::Role role, const ProgramOptions& options,
                                                     const crypto::SecretText& token, const crypto::PublicKey& key) {
  const auto id = configured_or_device_id(role, options.id);
  if (!id) return err(id.error());
  const auto host = platform::device_info();
  portal::LoginIdentity identity{.role = role,
                                 .token = token,
                                 .external_id = portal::external_id(*id),
                                 .name = options.name.empty() ? platform::host_name() : options.name,
                                 .ipv4 = {},
                                 .ipv6 = {},
                                 .device_serial = {},
                                 .device_uuid = {},
                                 .public_key = key};
  if (role == portal::Role::client) {
    identity.device_serial = host.serial.value_or("");
    identity.device_uuid = host.uuid.value_or("");
  }
  if (identity.name.empty()) identity.name = *id;
  return PortalSessionOptions{
      .url = *options.portal,
      .identity = identity,
      .user_agent = portal::user_agent(
          {.os = host.os_name, .os_version = host.os_version, .arch = host.architecture, .kernel = host.kernel}, role),
      .give_up_after = {},
      .mark = platform::kSocketMark,
      .ca_file = options.ca_file,
      .dns_servers = {}};
}

}  // namespace fireline::tunnel
