// What fireline-wg tells about itself: plain values, free of secrets, gathered by the backend on the control thread.
// Three renderings: JSON (status_json), text for a person (status_text), Prometheus text (metrics.h).
// Threads: values; any thread may own one.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/time.h"

namespace fireline::wg {

struct PeerReport {
  std::string public_key;  // base64, as wg shows it
  std::string endpoint;    // empty: none known
  std::vector<std::string> allowed_ips;
  std::optional<UnixTime> last_handshake;
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;
  std::uint16_t persistent_keepalive_seconds = 0;  // 0: off
};

// A kernel feature: probed at start, switched off on the first telling errno.
struct OffloadReport {
  enum class State : std::uint8_t { on, off, refused };
  std::string name;  // "udp_gso", "tun_tso4"…
  State state = State::off;
  int error = 0;                   // errno of a refusal
  std::size_t refusing_paths = 0;  // on, but not on these
};

struct QueueReport {
  std::string name;  // label queue_item: "ip-packet", "udp-gso-batch", "udp-gro-batch"…
  std::vector<std::pair<std::string, std::string>> labels;  // e.g. network.type = ipv4
  std::uint64_t length = 0;
  std::uint64_t capacity = 0;
};

struct PoolReport {
  std::string name;
  std::uint64_t buffer_bytes = 0;
  std::uint64_t in_use = 0;
  std::uint64_t capacity = 0;
};

struct NamedCount {
  std::string name;
  std::uint64_t count = 0;
};

// packets_in = packets_out + drops + held. Kernel drops happened before fireline read the packet or after it wrote it:
// beside the sum.
struct LedgerReport {
  std::vector<NamedCount> packets_in;   // by place of entry: "tun", "udp"
  std::vector<NamedCount> packets_out;  // by place of exit
  std::vector<NamedCount> drops;        // by reason, those with count zero included
  std::vector<NamedCount> held;         // in queues and behind handshakes
  std::vector<NamedCount> kernel_drops;
};

// One more value for the metrics. The name is dotted, as in the tables of names, and is one of metrics.cpp.
struct Sample {
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;  // a bounded set of values: no address, no key
  double value = 0;
};

struct StatusReport {
  std::string interface_name;
  std::string version;
  UnixTime now;  // when the report was made
  std::uint64_t uptime_seconds = 0;
  bool up = false;
  std::uint16_t mtu = 0;
  std::string public_key;  // base64; empty: none set
  std::uint16_t listen_port = 0;
  std::uint32_t fwmark = 0;
  std::string thread_mode;  // "split", "direct", "fused"
  std::uint64_t cipher_threads = 0;
  std::string udp_io;  // "syscall", "io_uring"; empty without a socket
  std::string aead;    // "ipsec-mb", "openssl", "libsodium"
  std::vector<OffloadReport> offloads;
  std::vector<QueueReport> queues;
  std::vector<PoolReport> pools;
  LedgerReport ledger;
  std::vector<NamedCount> counters;  // all other counters, by dotted name
  std::vector<PeerReport> peers;
  std::vector<Sample> samples;
};

[[nodiscard]] const char* name_of(OffloadReport::State state) noexcept;

[[nodiscard]] std::uint64_t sum_of(const std::vector<NamedCount>& counts) noexcept;

// One JSON document, two spaces of indentation, a newline at its end.
[[nodiscard]] std::string status_json(const StatusReport& report);

// Tables with human units. Drops and counters of zero are left out; JSON has them.
[[nodiscard]] std::string status_text(const StatusReport& report);

}  // namespace fireline::wg
