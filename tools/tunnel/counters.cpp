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
    if (port != nullptr) add_counters(*port, out);
  }
  if (const auto drops = devices.tun->kernel_drops()) {
    out["tun.read.kernel_drops"] += drops->transmit;
    out["tun.write.kernel_drops"] += drops->receive;
  }
}

void add_counters(const io::UdpPort& port, CounterMap& out) {
  using enum io::UdpReceiveCounter;
  CounterMap own;
  add_counter_set(port.receive_counters(), own);
  add_counter_set(port.send_counters(), own);
  // The counters learn of drops with the next datagram.
  const io::UdpStatus status = port.status();
  own[std::string(name_of(kernel_drops))] = status.kernel_drops;
  own[std::string(name_of(loud_drops))] = status.loud_drops;
  for (const auto& [name, value] : own) out[name] += value;
}

}  // namespace fireline::tunnel
