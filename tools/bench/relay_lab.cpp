#include "tools/bench/relay_lab.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "tools/bench/process.h"

namespace fireline::bench {
namespace {

constexpr unsigned kCoresMax = 8;  // of the lab's

// A queue for each core, and what a core sends goes through its own: like a network card.
void spread(const std::string& network_namespace) {
  const unsigned cores = std::clamp(std::thread::hardware_concurrency(), 1u, kCoresMax);
  run_in(network_namespace, fmt::format("ethtool -L under rx {0} tx {0}", cores));
  for (unsigned core = 0; core < cores; ++core) {
    run({{"ip", "netns", "exec", network_namespace, "sh", "-c",
          fmt::format("echo {:x} > /sys/class/net/under/queues/tx-{}/xps_cpus", 1u << core, core)},
         {},
         {},
         {}});
  }
}

}  // namespace

RelayLab::Namespace::Namespace(std::string its_name) : name(std::move(its_name)) {
  run_in("", "ip netns add " + name);
}

RelayLab::Namespace::~Namespace() {
  try {
    run_in("", "ip netns del " + name);
  } catch (const std::exception&) {
    // Interrupted: the next run removes it.
  }
}

RelayLab::RelayLab(Underlay underlay)
    : underlay_(underlay), pair_(underlay), far_(fmt::format("flbench-{}-f", getpid())) {
  run_in(near(), "ip address flush dev under");
  run_in(relay(), "ip address flush dev under");
  run_in(near(), fmt::format("ip address add {}/30 dev under", kNearAddress));
  run_in(relay(), fmt::format("ip address add {}/30 dev under", kRelayAddress));
  run_in(near(), fmt::format("ip address add {}1/24 dev lo", kClientNetwork));
  run_in(near(), fmt::format("ip address add {}/32 dev lo", kPeerAddress));
  run_in(near(), fmt::format("ip route add 198.18.3.0/30 via {}", kRelayAddress));
  run_in(relay(), fmt::format("ip route add default via {}", kNearAddress));
  run_in(relay(), "ip link add far type veth peer name under netns " + far());
  run_in(relay(), "ip address add 198.18.3.1/30 dev far");
  run_in(relay(), "ip link set far up");
  run_in(relay(), "sysctl -qw net.ipv4.ip_forward=1");
  run_in(far(), fmt::format("ip address add {}/30 dev under", kFarAddress));
  run_in(far(), "ip link set lo up");
  run_in(far(), "ip link set under up");
  run_in(far(), "ip route add default via 198.18.3.1");
  spread(near());
  spread(relay());
  let_cross(Trains::as_underlay);
}

void RelayLab::let_cross(Trains how) const {
  const bool singles = how == Trains::as_singles;
  const bool segmented = singles || underlay_ == Underlay::software_gso;
  const bool merged = !singles && underlay_ == Underlay::software_gso;
  const auto set = [](const std::string& network_namespace, const char* device, const std::string& features) {
    run_in(network_namespace, fmt::format("ethtool -K {} {}", device, features));
  };
  const auto on_or_off = [](bool on) { return on ? "on" : "off"; };
  const auto features = [&](bool gro) {
    return fmt::format("tso {0} tx-udp-segmentation {0} gro {1}", on_or_off(!segmented), on_or_off(gro));
  };
  // The relay's host merges what nobody there receives too: the kernel then forwards trains.
  const std::string merges = fmt::format("{} rx-udp-gro-forwarding {}", features(merged), on_or_off(merged));
  set(near(), "under", features(merged || how == Trains::merged));
  set(relay(), "under", merges);
  set(relay(), "far", merges);
  set(far(), "under", features(merged));
}

}  // namespace fireline::bench
