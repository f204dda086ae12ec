// What `fireline-portal status` shows: who is online, sizes, counters. No token, no key but public ones. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/portal/server/control_plane_status.h"

namespace fireline::portal_tool {

struct Report {
  std::uint64_t uptime_seconds = 0;
  std::vector<std::string> listens;
  bool tls = false;
  std::string policy_file;
  std::string policy_error;  // of the last reload; empty: the policy in force is the file's
  portal::ControlPlaneStatus plane;
  std::vector<std::pair<std::string, std::uint64_t>> counters;
};

[[nodiscard]] std::string status_json(const Report& report);
[[nodiscard]] std::string status_text(const Report& report);
[[nodiscard]] std::string metrics_text(const Report& report);

}  // namespace fireline::portal_tool
