// The status socket /var/run/fireline/INTERFACE.sock, mode 0660, and its client, fireline-wg --status.
// A request is one line: "status" for JSON, "status text" for a person. The answer ends with the connection.
//
// Lifetime: loop and backend outlive the server. Threads: the server on the loop's; the client on any.
#pragma once
#include <memory>
#include <string>

#include "core/base/result.h"
#include "tools/common/line_server.h"
#include "tools/wg/wg_backend.h"

namespace fireline::wg {

inline constexpr const char* kStatusDirectory = "/var/run/fireline";

// The error is one sentence for the person who started the program.
[[nodiscard]] Result<std::unique_ptr<LineServer>, std::string> serve_status(
    io::EventLoop& loop, WgBackend& backend, const std::string& interface_name,
    const std::string& directory = kStatusDirectory, io::StreamLimits limits = kLineLimits);

// Asks the process that serves the interface; gives its answer, or one sentence. Waits for at most a few seconds.
[[nodiscard]] Result<std::string, std::string> fetch_status(const std::string& interface_name, bool json,
                                                            const std::string& directory = kStatusDirectory);

}  // namespace fireline::wg
