// Precompiled for folders that log or format text (fireline_text in cmake/fireline.cmake): what many of their
// sources include. Each source still includes what it uses; the preset debug compiles without this header.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

// {fmt} leaves its formatter to be instantiated in every source that logs with arguments: 2 to 3 seconds each. Here it
// is compiled once, in precompiled_text.cpp.
extern template void fmt::detail::vformat_to<char>(fmt::detail::buffer<char>&, fmt::basic_string_view<char>,
                                                   fmt::basic_format_args<fmt::buffer_context<char>>,
                                                   fmt::detail::locale_ref);
