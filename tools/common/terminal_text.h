// Foreign text for a person's terminal. Values only. Threads: any.
#pragma once
#include <string>
#include <string_view>

namespace fireline {

// The words of other programs and people: none may command the reader's terminal, nor begin a line. A space instead of
// each control character, those of C1 in UTF-8 (C2 80 to C2 9F) and as bare bytes included.
[[nodiscard]] std::string shown(std::string_view text);

}  // namespace fireline
