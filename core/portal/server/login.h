// What a program says of itself in the upgrade request: read and checked, before any token is looked up.
// The target holds the token: it is never logged.
// Source: portal specification 1.1, 1.6, 9 (the newer header). Lifetime: views of LoginRequest live for the call.
// Threads: any. Limits: kTargetBytesMax, kNameCharactersMax, kTextBytesMax.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/crypto/keys.h"
#include "core/crypto/secret_text.h"
#include "core/portal/role.h"
#include "core/portal/server/program_version.h"
#include "core/portal/server/refusal.h"

namespace fireline::portal {

struct LoginRequest {
  std::string_view target;         // path and query
  std::string_view user_agent;     // header, empty if there is none
  std::string_view authorization;  // header X-Authorization of newer programs
  IpAddress source;
};

// A Firezone token and two names, each character as three, stay far below; what HTTP servers commonly allow.
inline constexpr std::size_t kTargetBytesMax = 8192;
inline constexpr std::size_t kNameCharactersMax = 255;
// Ids and serial numbers: as long as a name may be.
inline constexpr std::size_t kTextBytesMax = 255;

struct LoginParameters {
  Role role = Role::client;
  crypto::SecretText token;
  ProgramAgent agent;
  std::string name;  // may be empty
  // clients and gateways
  std::string external_id;
  crypto::PublicKey public_key;
  std::string device_serial;
  std::string device_uuid;
  // Relays: unicast addresses, not link-local ones; loopback alone from a source that is loopback itself.
  std::optional<IpAddress> ipv4;
  std::optional<IpAddress> ipv6;
  std::uint16_t port = 3478;
};

[[nodiscard]] Result<LoginParameters, Refusal> read_login(const LoginRequest& request);

}  // namespace fireline::portal
