#include "core/portal/user_agent.h"

namespace fireline::portal {
namespace {

// Control characters would end the header, and a portal reads no others than ASCII.
std::string printable(std::string_view text) {
  std::string kept;
  for (const char c : text) {
    if (c >= ' ' && c <= '~') kept += c;
  }
  return kept;
}

// The portal takes the name up to the first slash and the version up to the next space.
std::string without(std::string text, char unwanted) {
  std::erase(text, unwanted);
  return text;
}

std::string or_unknown(const std::string& text) {
  return text.empty() ? "unknown" : text;
}

}  // namespace

std::string user_agent(const HostDescription& host, Role role) {
  std::string agent = or_unknown(without(printable(host.os), '/')) + "/" +
                      or_unknown(without(without(printable(host.os_version), '/'), ' ')) + " " +
                      std::string(component_of(role));
  const std::string arch = printable(host.arch);
  const std::string kernel = printable(host.kernel);
  if (arch.empty() && kernel.empty()) return agent;
  const std::string_view separator = arch.empty() || kernel.empty() ? "" : "; ";
  return agent.append(" (").append(arch).append(separator).append(kernel).append(")");
}

}  // namespace fireline::portal
