// The benchmark's lab: two network namespaces joined by a veth pair, removed with the object.
//
//   flbench-PID-a  192.0.2.1/24 ── veth "under" ── 192.0.2.2/24  flbench-PID-b
//
// or, where somebody needs a relay, all on one bridge:
//
//   flbench-PID-a  192.0.2.1/24 ── veth "under" ── "a"     ┐
//   flbench-PID-b  192.0.2.2/24 ── veth "under" ── "b"     ├ bridge "switch" in flbench-PID-s
//   flbench-PID-r  192.0.2.3/24 ── veth "under" ── "under" ┘
//
// Names come from the process id; what a killed run left behind is removed by the next. One thread.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/file_descriptor.h"
#include "io/udp_socket.h"

namespace fireline::bench {

enum class Underlay : std::uint8_t {
  plain,         // veth as it is: GSO trains cross it whole
  software_gso,  // segmented by the kernel before the veth, merged by GRO behind it: a plain network card's behaviour
};
[[nodiscard]] const char* name_of(Underlay underlay) noexcept;

inline constexpr const char* kUnderlayA = "192.0.2.1";
inline constexpr const char* kUnderlayB = "192.0.2.2";
inline constexpr const char* kUnderlayRelay = "192.0.2.3";

enum class Joint : std::uint8_t { cable, bridge };

class NamespacePair {
 public:
  // Throws BenchError.
  explicit NamespacePair(Underlay underlay, Joint joint = Joint::cable);
  NamespacePair(const NamespacePair&) = delete;
  NamespacePair& operator=(const NamespacePair&) = delete;
  ~NamespacePair();

  [[nodiscard]] const std::string& a() const noexcept { return a_; }
  [[nodiscard]] const std::string& b() const noexcept { return b_; }
  // With a bridge: the relay's, and that of the bridge, where the relay's port is called "under".
  [[nodiscard]] const std::string& relay() const noexcept { return relay_; }
  [[nodiscard]] const std::string& bridge() const noexcept { return bridge_; }

 private:
  void join_by_bridge();
  void remove() noexcept;

  Underlay underlay_;
  std::string a_;
  std::string b_;
  std::string relay_;
  std::string bridge_;
};

// The calling thread is inside the namespace while this lives: sockets that it opens belong there for ever.
class InsideNamespace {
 public:
  explicit InsideNamespace(const std::string& network_namespace);
  InsideNamespace(const InsideNamespace&) = delete;
  InsideNamespace& operator=(const InsideNamespace&) = delete;
  ~InsideNamespace();

 private:
  io::FileDescriptor outside_;
};

// A socket of a namespace. Throws BenchError.
[[nodiscard]] std::unique_ptr<io::UdpSocket> open_udp_socket(const std::string& network_namespace,
                                                             const io::UdpOptions& options);

// /proc/net/netstat and /proc/net/snmp of a namespace, "TcpExt.TCPOFOQueue" to value.
using KernelCounters = std::map<std::string, std::int64_t>;
[[nodiscard]] KernelCounters kernel_counters(const std::string& network_namespace);
// The counters of one such file; for tests. Lines come in pairs: names, then values.
void read_counters(const std::string& text, KernelCounters& counters);

}  // namespace fireline::bench
