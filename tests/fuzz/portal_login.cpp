// Any bytes as an upgrade request: a line each of target, user agent and authorization. What is read is within its
// limits, and the URL that a program would make of it is read alike.
// libraries: fireline_core_portal_server
// covers: core/portal/server/login.cpp core/portal/server/program_version.cpp
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/portal/login_url.h"
#include "core/portal/server/login.h"

using namespace fireline;
using namespace fireline::portal;

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

std::string_view take_line(std::string_view& input) {
  const auto line = input.substr(0, input.find('\n'));
  input.remove_prefix(std::min(line.size() + 1, input.size()));
  return line;
}

void check_limits(const LoginParameters& login) {
  require(!login.token.empty() && !login.agent.component.empty() && login.port != 0);
  require(login.name.size() <= 4 * kNameCharactersMax);
  require(login.device_serial.size() <= kTextBytesMax && login.device_uuid.size() <= kTextBytesMax);
  if (login.role == Role::relay) return require(login.ipv4 || login.ipv6);
  require(!login.external_id.empty() && login.external_id.size() <= kTextBytesMax);
}

void check_round_trip(const LoginParameters& login, std::string_view user_agent) {
  const LoginUrl url(*PortalUrl::parse("ws://portal.test:8081/"), {.role = login.role,
                                                                   .token = login.token,
                                                                   .external_id = login.external_id,
                                                                   .name = login.name,
                                                                   .ipv4 = login.ipv4,
                                                                   .ipv6 = login.ipv6,
                                                                   .port = login.port,
                                                                   .device_serial = login.device_serial,
                                                                   .device_uuid = login.device_uuid,
                                                                   .public_key = login.public_key});
  if (url.target().size() > kTargetBytesMax) return;
  const auto again =
      read_login({.target = url.target(), .user_agent = user_agent, .authorization = {}, .source = IpAddress()});
  require(again.has_value() && again->role == login.role && again->token == login.token && again->name == login.name);
  require(again->external_id == login.external_id && again->public_key == login.public_key);
  require(again->ipv4 == login.ipv4 && again->ipv6 == login.ipv6 && again->port == login.port);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  // In a buffer of its own size: the byte behind it is nobody's.
  const std::string_view line = take_line(input);
  const std::vector<char> target(line.begin(), line.end());
  const std::string_view user_agent = take_line(input);
  const auto login = read_login({.target = {target.data(), target.size()},
                                 .user_agent = user_agent,
                                 .authorization = input,
                                 .source = IpAddress()});
  if (!login) {
    const unsigned status = login.error().status;
    require(status == 401 || status == 404 || status == 422);
    return 0;
  }
  check_limits(*login);
  check_round_trip(*login, user_agent);
  return 0;
}
