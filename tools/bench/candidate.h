// Who competes: a tunnel program with wireguard-go's command line, two nodes that meet by ICE (directly, or through the
// lab's relay), the forwarder, the same with a cipher, or the bare veth; and one of them running between two
// namespaces. One thread.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "tools/bench/namespace_pair.h"
#include "tools/bench/node_pair.h"
#include "tools/bench/process.h"

namespace fireline::bench {

struct Candidate {
  enum class Kind : std::uint8_t { tunnel, node, node_relayed, forwarder, sealed_forwarder, veth };
  Kind kind = Kind::tunnel;
  std::string name;
  std::string binary;          // empty for veth
  std::string threads;         // FIRELINE_WG_THREADS; empty: the program's own choice
  std::string udp_io;          // FIRELINE_WG_UDP_IO; empty: the program's own choice
  std::string cipher_threads;  // FIRELINE_WG_CIPHER_THREADS; empty: the program's own choice
  bool fireline = false;       // knows --status INTERFACE --json
  [[nodiscard]] bool is_node() const noexcept { return kind == Kind::node || kind == Kind::node_relayed; }
  [[nodiscard]] std::string label() const {
    return name + suffix(threads) + suffix(udp_io) + (cipher_threads.empty() ? "" : "/" + cipher_threads + " helpers");
  }

 private:
  [[nodiscard]] static std::string suffix(const std::string& word) { return word.empty() ? word : "/" + word; }
};

// Lists of words, each word a candidate of fireline's; empty: the program's own choice.
struct CandidateChoices {
  std::string thread_modes{};
  std::string udp_ios{};
  std::string cipher_threads{};
};

// "fireline,wireguard-go=/opt/bin/wireguard-go,forwarder,veth". `folder` is where fireline's own programs are. Each
// fireline candidate appears once per thread mode, UDP backend and number of cipher threads. The error is a sentence
// for the person.
[[nodiscard]] Result<std::vector<Candidate>, std::string> parse_candidates(std::string_view peers,
                                                                           const CandidateChoices& choices,
                                                                           const std::string& folder);

// Counters of a fireline-wg by dotted name, out of its status JSON.
using ProgramCounters = std::map<std::string, std::uint64_t>;
[[nodiscard]] ProgramCounters read_status(std::string_view json);

// Both ends of a candidate, carrying packets. Ended and removed with the object.
class RunningCandidate {
 public:
  // Throws BenchError, with the last lines that the program wrote.
  RunningCandidate(const Candidate& candidate, const NamespacePair& lab, int mtu);

  [[nodiscard]] const std::string& address_a() const noexcept { return address_a_; }
  [[nodiscard]] const std::string& address_b() const noexcept { return address_b_; }
  // The two tunnel processes, and the relay's when data goes through it; none for veth.
  [[nodiscard]] const std::vector<pid_t>& processes() const noexcept { return processes_; }
  // Of the end in namespace a or b; empty when the program has none.
  [[nodiscard]] ProgramCounters counters(bool of_a) const;

 private:
  struct End {
    std::string network_namespace;
    std::string interface_name;
    std::string underlay;
    std::string inner;
    std::string private_key;
    std::string public_key;
    std::unique_ptr<Child> process;
  };

  void start_nodes(const NamespacePair& lab, int mtu);
  void start_tunnel(End& end, const End& other, int mtu);
  void start_forwarder(End& end, const End& other, int mtu);
  void configure_address(const End& end, int mtu);
  [[noreturn]] void fail(const End& end, const std::string& what) const;

  Candidate candidate_;
  End a_;
  End b_;
  std::string address_a_ = kUnderlayA;
  std::string address_b_ = kUnderlayB;
  std::vector<pid_t> processes_;
  std::unique_ptr<NodePair> nodes_;
};

}  // namespace fireline::bench
