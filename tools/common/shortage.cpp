#include "tools/common/shortage.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <system_error>

namespace fireline {

std::string shortage_sentence(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return "there is not enough memory";
  std::string sentence = error.what();
  const auto* system = dynamic_cast<const std::system_error*>(&error);
  if (system != nullptr && system->code() == std::errc::resource_unavailable_try_again) {
    sentence += ": raise the limit of processes, which threads count to";
  } else if (sentence.contains(std::strerror(EMFILE))) {  // Asio's exceptions have an error code of Boost's own
    sentence += ": raise this process's limit of open files";
  }
  return sentence;
}

int run_to_end(const char* program, const std::function<int()>& body) {
  try {
    return body();
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", program, shortage_sentence(error));
    return 1;
  }
}

}  // namespace fireline
