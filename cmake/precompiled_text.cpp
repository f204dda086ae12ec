// The one instance of {fmt}'s formatter that precompiled_text.h promises. libfmt.so has one too, under the name that
// g++ gives it; clang++ names it otherwise.
#include "cmake/precompiled_text.h"

template void fmt::detail::vformat_to<char>(fmt::detail::buffer<char>&, fmt::basic_string_view<char>,
                                            fmt::basic_format_args<fmt::buffer_context<char>>, fmt::detail::locale_ref);
