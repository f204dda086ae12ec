// Command-line words that stand for values. Start-up only.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace fireline {

template <class Value>
struct Choice {
  std::string_view word;
  Value value;
};

// Sets `out` to the word's value, or gives the sentence that lists the words.
template <class Value, std::size_t count>
[[nodiscard]] std::optional<std::string> choose(const std::array<Choice<Value>, count>& choices, std::string_view flag,
                                                std::string_view word, Value& out) {
  const auto found = std::ranges::find(choices, word, &Choice<Value>::word);
  if (found != choices.end()) {
    out = found->value;
    return std::nullopt;
  }
  std::string words;
  for (const auto& choice : choices) words += (words.empty() ? "" : ", ") + std::string(choice.word);
  return fmt::format("{} cannot be \"{}\": use one of {}", flag, word, words);
}

// Sets `out` to the decimal number that the whole word is, or gives the sentence that says what is allowed.
template <class Number>
[[nodiscard]] std::optional<std::string> read_number(std::string_view flag, std::string_view word, Number least,
                                                     Number most, Number& out) {
  Number number{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size() || number < least || number > most) {
    return fmt::format("{} cannot be \"{}\": use a number from {} to {}", flag, word, least, most);
  }
  out = number;
  return std::nullopt;
}

// The same of a flag that may be left out: an empty word leaves `out` as it is.
template <class Number>
[[nodiscard]] std::optional<std::string> read_number_if_given(std::string_view flag, std::string_view word,
                                                              Number least, Number most, Number& out) {
  return word.empty() ? std::nullopt : read_number(flag, word, least, most, out);
}

}  // namespace fireline
