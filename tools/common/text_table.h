// Tables of a status for a person's terminal. Values only. Threads: any.
#pragma once
#include <string>
#include <vector>

namespace fireline {

using TableRow = std::vector<std::string>;
// Two spaces before each column, each as wide as its longest cell. All rows are as long as the first; none: nothing.
void append_table(std::string& out, const std::vector<TableRow>& rows);

}  // namespace fireline
