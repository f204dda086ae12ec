#include "tools/wg/status_server.h"

#include <fmt/format.h>

#include "tools/wg/uapi_server.h"

namespace fireline::wg {
namespace {

constexpr std::string_view kJsonRequest = "status";
constexpr std::string_view kTextRequest = "status text";

}  // namespace

Result<std::unique_ptr<LineServer>, std::string> serve_status(io::EventLoop& loop, WgBackend& backend,
                                                              const std::string& interface_name,
                                                              const std::string& directory, io::StreamLimits limits) {
  return LineServer::start(
      loop, socket_path(directory, interface_name),
      [&backend](std::string_view line) -> std::string {
        if (line == kJsonRequest) return status_json(backend.report());
        if (line == kTextRequest) return status_text(backend.report());
        return "{\"error\": \"unknown request: ask for status or status text\"}\n";
      },
      limits);
}

Result<std::string, std::string> fetch_status(const std::string& interface_name, bool json,
                                              const std::string& directory) {
  const auto path = socket_path(directory, interface_name);
  auto answer = ask_line(path, json ? kJsonRequest : kTextRequest);
  if (answer) return std::move(*answer);
  const auto error = answer.error();
  if (error == std::errc::no_such_file_or_directory || error == std::errc::connection_refused) {
    return err(fmt::format("no fireline-wg serves {}: start it with: fireline-wg {}", interface_name, interface_name));
  }
  const bool denied = error == std::errc::permission_denied;
  return err(fmt::format("cannot ask {}: {}{}", path, error.message(),
                         denied ? ": run as root or as a member of the socket's group" : ""));
}

}  // namespace fireline::wg
