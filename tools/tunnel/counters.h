// The counters of a tunnel's parts by name, for status and metrics. Any thread: counters are read while others count.
#pragma once
#include "core/node/node.h"
#include "tools/tunnel/counter_map.h"
#include "tools/tunnel/data_path.h"
#include "tools/tunnel/devices.h"

namespace fireline::tunnel {

// Node, ICE, TURN, WireGuard.
void add_counters(const node::Node& node, CounterMap& out);
// One socket, with the kernel's drops as they are now.
void add_counters(const io::UdpPort& port, CounterMap& out);
// Packet loop, TUN device, the sockets: those that are open at this moment, and those before them.
void add_counters(DataPath& path, const Devices& devices, CounterMap& out);

}  // namespace fireline::tunnel
