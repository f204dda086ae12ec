#include "tools/common/text_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace fireline {

void append_table(std::string& out, const std::vector<TableRow>& rows) {
  if (rows.empty()) return;
  std::vector<std::size_t> widths(rows.front().size());
  for (const TableRow& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const TableRow& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      fmt::format_to(std::back_inserter(line), "  {:<{}}", row[i], widths[i]);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
}

}  // namespace fireline
