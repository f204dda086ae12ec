// The lab of `fireline-bench relay`: three network namespaces, removed with the object.
//
//   near ── veth "under" ── relay ── veth "far" ── far
//   198.18.0.1/30  .2/30         198.18.3.1/30  .2/30
//   and on near's loopback: 198.18.1.0/24 (clients), 198.18.2.1 (peer)
//
// Client and peer of a relay are both in `near`: a datagram crosses the veth pair twice, in and out of the relay, and
// the relay sees one router as the next hop to everybody, as XDP needs it. Kernel forwarding in place of the relay
// crosses two veth pairs once each: from near through `relay`, which routes, to the peer in `far`.
//
// Names come from the process id; the next run removes what a killed one left. Needs root. One thread.
#pragma once
#include <cstdint>
#include <string>

#include "tools/bench/namespace_pair.h"

namespace fireline::bench {

inline constexpr const char* kNearAddress = "198.18.0.1";
inline constexpr const char* kRelayAddress = "198.18.0.2";
inline constexpr const char* kClientNetwork = "198.18.1.";  // and 1 to kClientAddresses
inline constexpr unsigned kClientAddresses = 250;
inline constexpr const char* kPeerAddress = "198.18.2.1";
inline constexpr const char* kFarAddress = "198.18.3.2";

// How the generator's trains cross.
enum class Trains : std::uint8_t {
  as_underlay,  // as the underlay has it, which is how a lab begins
  as_singles,   // segmented before the veth pair and not merged behind it
  merged,  // as_underlay, and the generator's end merges single datagrams that come, as a network card's driver does
};

class RelayLab {
 public:
  // Throws BenchError.
  explicit RelayLab(Underlay underlay);

  void let_cross(Trains how) const;  // throws BenchError

  [[nodiscard]] const std::string& near() const noexcept { return pair_.a(); }
  [[nodiscard]] const std::string& relay() const noexcept { return pair_.b(); }
  [[nodiscard]] const std::string& far() const noexcept { return far_.name; }

 private:
  struct Namespace {
    explicit Namespace(std::string its_name);
    Namespace(const Namespace&) = delete;
    Namespace& operator=(const Namespace&) = delete;
    ~Namespace();
    std::string name;
  };

  Underlay underlay_;
  NamespacePair pair_;
  Namespace far_;
};

}  // namespace fireline::bench
