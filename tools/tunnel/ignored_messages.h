// Messages of the portal that cannot be used: counted, and the first of them told, for a portal that sends nothing else
// must not fill a disk. Payloads may hold secrets and are not told. Threads: any.
#pragma once
#include <cstdint>
#include <string_view>

#include "core/portal/message_text.h"

namespace fireline::tunnel {

// A kind that we do not know is a newer portal's and no fault.
void ignore_message(std::string_view event, portal::MessageError error);
// Of this process: "portal.drop.message".
[[nodiscard]] std::uint64_t ignored_messages() noexcept;

}  // namespace fireline::tunnel
