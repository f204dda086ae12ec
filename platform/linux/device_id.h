// The device's stable id, by which the portal knows this machine (platform specification 6.5, portal
// specification 1.2). Order: the id file as it is, else derived from the machine id and not written, else generated and
// written to the file. How the id is shown to the portal (hashed or not) is the portal's rule. No state; any thread;
// start-up.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "platform/linux/host_error.h"

namespace fireline::platform {

struct DeviceIdPlace {
  std::string file;                 // JSON object with one key, "id"
  std::string_view application_id;  // 32 characters; part of every derived id: another one is another device
  std::string machine_id_file = "/etc/machine-id";
};

// Firezone's places, so that a machine keeps its id when it changes programs.
[[nodiscard]] DeviceIdPlace client_device_id_place();
[[nodiscard]] DeviceIdPlace gateway_device_id_place();

enum class DeviceIdOrigin : std::uint8_t { file, machine_id, generated };

struct DeviceId {
  std::string text;
  DeviceIdOrigin origin = DeviceIdOrigin::file;
  std::vector<std::string> warnings;  // e.g. the file's mode could not be corrected
};

// Errors: a file that is there but cannot be read or holds no id (a new id would make it a new device), or nothing to
// derive from and no place to write to. Directories are made for a generated id alone (0770); the file's mode is set to
// 0640 each time.
[[nodiscard]] Result<DeviceId, HostError> device_id(const DeviceIdPlace& place);

}  // namespace fireline::platform
