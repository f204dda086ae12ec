#include "tools/common/terminal_text.h"

#include <cstddef>

namespace fireline {

std::string shown(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  unsigned continuations = 0;  // that the letter at hand still has: its bytes of 80 to 9F are none of C1
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned here = byte(i);
    const bool c1 = here >= 0x80 && here < 0xA0;
    if (here == 0xC2 && byte(i + 1) >= 0x80 && byte(i + 1) < 0xA0) {
      out.push_back(' ');
      ++i;
      continuations = 0;
      continue;
    }
    out.push_back(here < 0x20 || here == 0x7F || (c1 && continuations == 0) ? ' ' : text[i]);
    if (here >= 0xC0) {
      continuations = here >= 0xF0 ? 3 : here >= 0xE0 ? 2 : 1;
    } else if (here >= 0x80 && continuations != 0) {
      --continuations;
    } else {
      continuations = 0;
    }
  }
  return out;
}

}  // namespace fireline
