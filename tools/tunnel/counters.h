// The counters of a tunnel's parts by name, for status and metrics. Any thread: counters are read while others count.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "core/node/node.h"
#include "tools/tunnel/data_path.h"
#include "tools/tunnel/devices.h"

namespace fireline::tunnel {

using CounterMap = std::map<std::string, std::uint64_t, std::less<>>;

template <class CounterSet>
void add_counter_set(const CounterSet& counters, CounterMap& out) {
  counters.for_each([&](std::string_view name, std::uint64_t value) { out[std::string(name)] += value; });
}

// Node, ICE, TURN, WireGuard.
void add_counters(const node::Node& node, CounterMap& out);
// Packet loop, TUN device, the sockets that are open at this moment.
void add_counters(DataPath& path, const Devices& devices, CounterMap& out);

}  // namespace fireline::tunnel
