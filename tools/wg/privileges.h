// What fireline-wg gives up (docs/privileges.md): capabilities before its threads start, system calls when the device
// and its sockets are there. Threads: the caller's; capabilities belong to threads, the filter to all of them.
#pragma once
#include <optional>
#include <string>

namespace fireline::wg {

// All but CAP_NET_ADMIN and CAP_NET_BIND_SERVICE, which `wg set` may need at any time: sockets are bound anew with
// another port, a mark and their buffers. A sentence when the kernel refuses.
[[nodiscard]] std::optional<std::string> keep_device_capabilities();

// All capabilities, for the log's thread.
void keep_no_capabilities();

// What is not on the lists fails with EPERM from here on, in every thread. `io_uring`: sockets use it, also those that
// are bound anew. A sentence when the kernel refuses; the process is free then.
[[nodiscard]] std::optional<std::string> allow_device_calls(bool io_uring);

}  // namespace fireline::wg
