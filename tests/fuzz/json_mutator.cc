// How libFuzzer changes inputs of targets with the line "// mutator: json": in one of four changes a token of JSON is
// replaced by a value that a reader may not expect, or by another token of the same input; the others are libFuzzer's
// own. So the fuzzer gets behind the parser of JSON to what reads the values.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string_view>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

constexpr std::array<std::string_view, 24> kValues{"-1",
                                                   "0",
                                                   "1",
                                                   "65535",
                                                   "65536",
                                                   "4294967296",
                                                   "9223372036854775807",
                                                   "-9223372036854775808",
                                                   "18446744073709551616",
                                                   "1e3",
                                                   "0.5",
                                                   "null",
                                                   "true",
                                                   "false",
                                                   "[]",
                                                   "{}",
                                                   R"("")",
                                                   R"("\u0000")",
                                                   R"("\"\\")",
                                                   R"("\ud83d\ude00")",
                                                   R"("0.0.0.0/0")",
                                                   R"("::/0")",
                                                   R"("127.0.0.1:65535")",
                                                   R"("[::1]:0")"};
constexpr std::size_t kTokensMax = 512;

bool is_literal(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' || c == 'E';
}

// Texts with their quotation marks, numbers, true, false, null.
std::vector<std::string_view> tokens_of(std::string_view text) {
  std::vector<std::string_view> tokens;
  for (std::size_t at = 0; at < text.size() && tokens.size() < kTokensMax;) {
    const std::size_t first = at++;
    if (text[first] == '"') {
      while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2U : 1U;
      at = std::min(at + 1, text.size());
    } else if (is_literal(text[first])) {
      while (at < text.size() && is_literal(text[at])) ++at;
    } else {
      continue;
    }
    tokens.push_back(text.substr(first, at - first));
  }
  return tokens;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int seed) {
  std::minstd_rand random(seed);
  const std::vector<char> copy(data, data + size);
  const auto tokens = tokens_of({copy.data(), copy.size()});
  if (random() % 4 != 0 || tokens.empty()) return LLVMFuzzerMutate(data, size, max_size);
  const std::string_view old = tokens[random() % tokens.size()];
  const std::string_view value =
      random() % 2 == 0 ? kValues[random() % kValues.size()] : tokens[random() % tokens.size()];
  const std::size_t changed = size - old.size() + value.size();
  if (changed > max_size) return LLVMFuzzerMutate(data, size, max_size);
  const auto begin = static_cast<std::size_t>(old.data() - copy.data());
  std::memcpy(data + begin, value.data(), value.size());
  const std::size_t end = begin + old.size();
  std::copy(copy.begin() + static_cast<std::ptrdiff_t>(end), copy.end(), data + begin + value.size());
  return changed;
}
