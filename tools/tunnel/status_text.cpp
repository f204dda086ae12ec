#include "tools/tunnel/status_text.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "tools/common/terminal_text.h"
#include "tools/common/text_table.h"

namespace fireline::tunnel {
namespace {

using Json = nlohmann::ordered_json;

std::string cell_of(const Json& value);

// A path, or something with a name.
std::string cell_of_object(const Json& object) {
  if (!object.contains("destination")) return object.contains("name") ? cell_of(object["name"]) : "";
  std::string text = cell_of(object.value("kind", Json())) + " to " + cell_of(object["destination"]);
  if (const std::string relay = cell_of(object.value("relay", Json())); !relay.empty()) text += " by relay " + relay;
  return text;
}

std::string cell_of(const Json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return shown(value.get_ref<const std::string&>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_object()) return cell_of_object(value);
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const Json& one : value) text += (text.empty() ? "" : ", ") + cell_of(one);
  return text;
}

std::string title_of(std::string_view name) {
  std::string title(name);
  std::ranges::transform(title, title.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return title;
}

void append_list(std::string& out, const std::string& name, const Json& list) {
  out += '\n' + name + ": " + std::to_string(list.size()) + '\n';
  std::vector<std::string> columns;
  for (const Json& one : list) {
    for (const auto& [column, value] : one.items()) {
      const bool is_shown = column != "id" || !one.contains("name");  // a name says more
      if (!is_shown || std::ranges::find(columns, column) != columns.end()) continue;
      columns.insert(column == "name" ? columns.begin() : columns.end(), column);
    }
  }
  std::vector<TableRow> rows;
  for (const Json& one : list) {
    TableRow& row = rows.emplace_back();
    for (const std::string& column : columns) row.push_back(cell_of(one.value(column, Json())));
  }
  if (!rows.empty()) {
    for (std::string& column : columns) column = title_of(column);
    rows.insert(rows.begin(), std::move(columns));
  }
  append_table(out, rows);
}

}  // namespace

std::string status_text(const Json& document) {
  std::vector<TableRow> lines;
  std::string lists;
  for (const auto& [name, value] : document.items()) {
    if (value.is_array()) {
      append_list(lists, name, value);
    } else {
      lines.push_back({name, cell_of(value)});
    }
  }
  std::string out;
  append_table(out, lines);
  return out + lists;
}

}  // namespace fireline::tunnel
