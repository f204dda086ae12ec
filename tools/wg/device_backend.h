// The real device behind fireline-wg's control sockets: TUN, UDP sockets, a wireguard::Device and the threads around
// it. The sockets are bound while the interface is up; they keep the port that was set or that the kernel chose.
//
// Lifetime and threads: see wg_backend.h.
#pragma once
#include <memory>
#include <string>

#include "tools/wg/wg_backend.h"

namespace fireline::wg {

// A BackendFactory. Errors: one sentence with the fix.
[[nodiscard]] Result<std::unique_ptr<WgBackend>, std::string> make_device_backend(
    const Options& options, io::EventLoop& loop, std::move_only_function<void()> removed);

}  // namespace fireline::wg
