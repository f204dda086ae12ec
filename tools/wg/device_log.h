// The device's events as log lines. Handshakes and roaming are what wireguard-go logs at "verbose": debug here.
#pragma once
#include <string_view>

#include "core/wireguard/device_event.h"

namespace fireline::wg {

void log_event(std::string_view interface_name, const wireguard::DeviceEvent& event);

}  // namespace fireline::wg
