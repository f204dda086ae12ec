#include "tools/bench/relay_lab.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <thread>

#include "tools/bench/process.h"

namespace fireline::bench {
namespace {

constexpr unsigned kCoresMax = 8;  // of the lab's

void in(const std::string& network_namespace, const std::string& words) {
  Command command{{}, network_namespace, {}, {}};
  std::istringstream stream(words);
  for (std::string word; stream >> word;) command.words.push_back(word);
  run(command);
}

// A queue for each core, and what a core sends goes through its own: like a network card.
void spread(const std::string& network_namespace) {
  const unsigned cores = std::clamp(std::thread::hardware_concurrency(), 1u, kCoresMax);
  in(network_namespace, fmt::format("ethtool -L under rx {0} tx {0}", cores));
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
  in("", "ip netns add " + name);
}

RelayLab::Namespace::~Namespace() {
  try {
    in("", "ip netns del " + name);
  } catch (const std::exception&) {
    // Interrupted: the next run removes it.
  }
}

RelayLab::RelayLab(Underlay underlay)
    : underlay_(underlay), pair_(underlay), far_(fmt::format("flbench-{}-f", getpid())) {
  in(near(), "ip address flush dev under");
  in(relay(), "ip address flush dev under");
  in(near(), fmt::format("ip address add {}/30 dev under", kNearAddress));
  in(relay(), fmt::format("ip address add {}/30 dev under", kRelayAddress));
  in(near(), fmt::format("ip address add {}1/24 dev lo", kClientNetwork));
  in(near(), fmt::format("ip address add {}/32 dev lo", kPeerAddress));
  in(near(), fmt::format("ip route add 198.18.3.0/30 via {}", kRelayAddress));
  in(relay(), fmt::format("ip route add default via {}", kNearAddress));
  in(relay(), "ip link add far type veth peer name under netns " + far());
  in(relay(), "ip address add 198.18.3.1/30 dev far");
  in(relay(), "ip link set far up");
  in(relay(), "sysctl -qw net.ipv4.ip_forward=1");
  in(far(), fmt::format("ip address add {}/30 dev under", kFarAddress));
  in(far(), "ip link set lo up");
  in(far(), "ip link set under up");
  in(far(), "ip route add default via 198.18.3.1");
  spread(near());
  spread(relay());
  send_singles(false);
}

void RelayLab::send_singles(bool on) const {
  const bool segmented = on || underlay_ == Underlay::software_gso;
  const bool merged = !on && underlay_ == Underlay::software_gso;
  const std::string features =
      fmt::format("tso {0} tx-udp-segmentation {0} gro {1}", segmented ? "off" : "on", merged ? "on" : "off");
  // The relay's host merges what nobody there receives too: the kernel then forwards trains.
  const std::string merges = fmt::format("{} rx-udp-gro-forwarding {}", features, merged ? "on" : "off");
  in(near(), "ethtool -K under " + features);
  in(relay(), "ethtool -K under " + merges);
  in(relay(), "ethtool -K far " + merges);
  in(far(), "ethtool -K under " + features);
}

void RelayLab::merge_arrivals() const {
  in(near(), "ethtool -K under gro on");
}

}  // namespace fireline::bench
