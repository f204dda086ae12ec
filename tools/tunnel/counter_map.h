// Counters by name, as status and metrics show them. Those of the same name are one sum.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace fireline::tunnel {

using CounterMap = std::map<std::string, std::uint64_t, std::less<>>;

template <class CounterSet>
void add_counter_set(const CounterSet& counters, CounterMap& out) {
  counters.for_each([&](std::string_view name, std::uint64_t value) { out[std::string(name)] += value; });
}

}  // namespace fireline::tunnel
