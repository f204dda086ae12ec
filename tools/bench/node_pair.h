// Two fireline-lab-nodes that meet by ICE, with a fireline-relay that forwards in the driver (XDP): as a candidate of
// the tunnel benchmark, so that the node's data path stands beside fireline-wg's in the same namespaces.
//
// Direct: the best pair is that of the host addresses. Relayed: neither end has a route to the other, so that data goes
// through one allocation on the relay. Ended and removed with the object. Needs a lab with a bridge. One thread.
#pragma once
#include <sys/types.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tools/bench/namespace_pair.h"
#include "tools/bench/process.h"
#include "tools/bench/relay_candidate.h"

namespace fireline::bench {

struct NodeEnd {
  std::string interface_name;
  std::string inner;  // its address in the tunnel
};

class NodePair {
 public:
  // Returns when the interfaces exist. Throws BenchError.
  NodePair(std::string binary, const NamespacePair& lab, bool relayed, int mtu, std::array<NodeEnd, 2> ends);
  NodePair(const NodePair&) = delete;
  NodePair& operator=(const NodePair&) = delete;
  ~NodePair();

  // Until both ends use the kind of path that is measured. Throws BenchError.
  void wait_for_path() const;
  // Of the end in namespace a or b, as JSON.
  [[nodiscard]] std::string status(bool of_a) const;
  // The nodes', and the relay's when data goes through it.
  [[nodiscard]] std::vector<pid_t> processes() const;
  // What the programs wrote last.
  [[nodiscard]] std::string log() const;

 private:
  // Nothing is there yet; whatever the public one then fails in, its destructor runs.
  NodePair(std::string binary, const NamespacePair& lab, bool relayed, std::array<NodeEnd, 2> ends);
  void start_relay(const std::string& folder);
  void start_node(std::size_t which, int mtu);
  void forbid_direct_path(bool on) const;

  std::string binary_;
  const NamespacePair& lab_;
  bool relayed_;
  std::array<NodeEnd, 2> ends_;
  std::filesystem::path folder_;
  std::unique_ptr<XdpFarEnd> far_end_;
  std::unique_ptr<Child> relay_;
  std::array<std::unique_ptr<Child>, 2> nodes_;
};

}  // namespace fireline::bench
