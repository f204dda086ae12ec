// How a device names itself: the configured or derived id, and what of it the portal sees. A change here makes every
// device a new one. Source: portal specification 1.2, platform specification 6.5. Threads: any.
#pragma once
#include <string>
#include <string_view>

#include "core/base/uuid.h"
#include "core/portal/role.h"

namespace fireline::portal {

// An id in any textual form of a UUID is hashed as it is spelt; any other goes out unchanged.
[[nodiscard]] std::string external_id(std::string_view device_id);

// HMAC-SHA256 of the whole content of /etc/machine-id, its newline included, keyed with the application's id.
// `role`: client or gateway.
[[nodiscard]] std::string derived_device_id(Role role, std::string_view machine_id_file);

// For a host without /etc/machine-id, from a random UUID; to be kept in a file.
[[nodiscard]] std::string generated_device_id(const Uuid& random_id);

}  // namespace fireline::portal
