// Expected failure as a value: Result<T, E> is a value or an error of a small enum.
// One alias, so that the vendor can change. Used without monadic calls (g++ 12 has none).
#pragma once
#include <expected>
#include <utility>

namespace fireline {

template <class T, class E>
using Result = std::expected<T, E>;

// return err(ParseError::too_short);
template <class E>
[[nodiscard]] constexpr std::unexpected<std::decay_t<E>> err(E&& error) {
  return std::unexpected<std::decay_t<E>>(std::forward<E>(error));
}

}  // namespace fireline
