// What a program that is short of descriptors, threads or memory says and does. Such a lack comes as an exception: of
// the standard library, of Asio, of a constructor that cannot do without its descriptor. Threads: the caller's.
#pragma once
#include <exception>
#include <functional>
#include <string>

namespace fireline {

// One sentence, with the limit to be raised where it is known.
[[nodiscard]] std::string shortage_sentence(const std::exception& error);

// The body's exit code; 1 behind the sentence on standard error when an exception ended it. What the body had set up
// is gone then, as behind any other end.
[[nodiscard]] int run_to_end(const char* program, const std::function<int()>& body);

}  // namespace fireline
