#include "tools/tunnel/counters.h"

namespace fireline::tunnel {

void add_counters(const node::Node& node, CounterMap& out) {
  add_counter_set(node.counters(), out);
  add_counter_set(node.ice_counters(), out);
  add_counter_set(node.turn_counters(), out);
  add_counter_set(node.device().counters(), out);
}

void add_counters(DataPath& path, const Devices& devices, CounterMap& out) {
  add_counter_set(path.plane().loop_counters(), out);
  add_counter_set(path.plane().cipher_counters(), out);
  add_counter_set(devices.tun->read_counters(), out);
  add_counter_set(devices.tun->write_counters(), out);
  for (const auto& [name, value] : path.retired_counters()) out[name] += value;
  out["udp.send.drop.no_socket"] += path.plane().datagrams_without_socket();
  for (const auto family : {Family::v4, Family::v6}) {
    add_counter_set(path.plane().reader_counters(family), out);
    const io::UdpPort* port = path.plane().port(family);
    if (port == nullptr) continue;
    add_counter_set(port->receive_counters(), out);
    add_counter_set(port->send_counters(), out);
  }
}

}  // namespace fireline::tunnel
