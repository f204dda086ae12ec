// How the scheduler weighs this program against others that want the same cores: nice values, sched(7).
//
// A data plane shares its cores with the programs whose packets it carries. As one among equals it is displaced in the
// middle of its queues, and idle cores stand beside one that all want. Let go first, it carries a tenth more in four
// TCP streams on two cores, and half as much again of a flood (docs/performance.md).
//
// Threads: the value belongs to the calling thread and to those that it starts from here on: call it first.
#pragma once
#include <optional>
#include <string>

namespace fireline::platform {

inline constexpr int kNiceMin = -20;  // first
inline constexpr int kNiceMax = 19;
inline constexpr int kDataPlaneNice = -7;

// Empty: kDataPlaneNice, unless somebody started the program with a value other than 0; without the right to it
// everything stays as it is. Else that value; a sentence when the kernel refuses it.
// Where the process leads its session, the session's autogroup gets the value too: between sessions it alone counts.
[[nodiscard]] std::optional<std::string> set_nice_value(std::optional<int> wanted = std::nullopt);

}  // namespace fireline::platform
