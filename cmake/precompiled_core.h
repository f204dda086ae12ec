// Precompiled for libraries that format no text (fireline_library in cmake/fireline.cmake): what many of their sources
// include, which is the standard library alone. Each source still includes what it uses; the preset debug compiles
// without this header.
#pragma once
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>
