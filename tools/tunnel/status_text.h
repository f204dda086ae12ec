// A status of gateway or client for a person: what the JSON says, as lines and tables.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace fireline::tunnel {

// Members that are no lists come first, one a line; then each list as a table with a column for each member that any of
// its objects has, its name first and without the id of what has one. Objects inside of a table are shown by their
// name, paths by kind, destination and relay.
[[nodiscard]] std::string status_text(const nlohmann::ordered_json& document);

}  // namespace fireline::tunnel
