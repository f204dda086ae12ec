#include "core/portal/device_identity.h"

#include "core/crypto/sha256.h"

namespace fireline::portal {
namespace {

constexpr std::string_view kClientApplication = "e1e465ce763e4759945c650ac334501f";
constexpr std::string_view kGatewayApplication = "753b38f9f96947ef8083802d5909a372";

ConstBytes bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text));
}

}  // namespace

std::string external_id(std::string_view device_id) {
  if (!Uuid::parse(device_id)) return std::string(device_id);
  return crypto::hex(crypto::sha256({bytes_of(device_id)}));
}

std::string derived_device_id(Role role, std::string_view machine_id_file) {
  const auto application = role == Role::gateway ? kGatewayApplication : kClientApplication;
  return crypto::hex(crypto::hmac_sha256(bytes_of(application), {bytes_of(machine_id_file)}));
}

std::string generated_device_id(const Uuid& random_id) {
  return crypto::hex(crypto::sha256({bytes_of(random_id.to_string())}));
}

}  // namespace fireline::portal
