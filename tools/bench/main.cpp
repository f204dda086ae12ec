// fireline-bench: tunnel, relay, xdp, aead and udp side by side with other people's programs, and a node's connections;
// and pages with plots of what was measured.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "tools/bench/aead_bench.h"
#include "tools/bench/crowd_bench.h"
#include "tools/bench/node_bench.h"
#include "tools/bench/peers_bench.h"
#include "tools/bench/relay_bench.h"
#include "tools/bench/report_files.h"
#include "tools/bench/tunnel_bench.h"
#include "tools/bench/udp_bench.h"
#include "tools/bench/xdp_bench.h"
#include "tools/command_line/command_line.h"

namespace {

using namespace fireline::bench;

struct TunnelWords {
  std::string peers = "fireline,forwarder,veth";
  CandidateChoices choices;
  std::vector<int> mtus{1420};
  std::vector<std::string> underlays{"plain"};
  std::vector<std::string> measures{"tcp", "udp", "ping"};
};

bool contains(const std::vector<std::string>& words, const char* word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::vector<Underlay> underlays_of(const std::vector<std::string>& words) {
  std::vector<Underlay> underlays;
  for (const std::string& word : words) {
    underlays.push_back(word == "plain" ? Underlay::plain : Underlay::software_gso);
  }
  return underlays;
}

void add_rounds(CLI::App& bench, int& rounds, int most) {
  bench.add_option("--rounds", rounds, "rounds that count; one more runs first and is dropped")
      ->check(CLI::Range(1, most))
      ->capture_default_str();
}

// Told before the first round and not behind the last one.
std::string check_writable(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  const bool there = ::access(path.c_str(), F_OK) == 0;
  const std::string target = there ? path : folder.empty() ? std::string(".") : folder.string();
  if (std::filesystem::is_directory(path)) return "cannot write " + path + ": it is a folder";
  if (::access(target.c_str(), W_OK) == 0) return {};
  return "cannot write " + path + ": check that its folder exists and is writable";
}

void add_files(CLI::App& bench, ReportFiles& files) {
  bench.add_option("--json", files.json, "file for all figures")->check(check_writable);
  bench.add_option("--html", files.html, "file for a page with plots of them")->check(check_writable);
}

void add_tunnel(CLI::App& tunnel, TunnelWords& words, TunnelBenchOptions& options) {
  tunnel
      .add_option("--peers", words.peers,
                  "candidates NAME[=BINARY],…: forwarder, sealed-forwarder (what the cipher alone leaves of it), veth, "
                  "fireline, node and node-relayed (ICE between two "
                  "nodes, directly "
                  "or through fireline-relay's XDP), wireguard-go, or any program with wireguard-go's command line")
      ->capture_default_str();
  tunnel.add_option("--threads-mode,--thread-mode", words.choices.thread_modes,
                    "thread modes of fireline, each a candidate of its own: split,direct,fused,auto");
  tunnel.add_option("--udp-io", words.choices.udp_ios,
                    "UDP backends of fireline, each a candidate of its own: syscall,io_uring,auto");
  tunnel.add_option("--cipher-threads", words.choices.cipher_threads,
                    "cipher helpers of fireline, each number a candidate of its own: 0,1");
  tunnel.add_option("--mtu", words.mtus, "MTUs of the tunnel")->delimiter(',')->check(CLI::Range(576, 9000));
  tunnel.add_option("--underlay", words.underlays, "plain: veth; software-gso: segmented before the veth")
      ->delimiter(',')
      ->check(CLI::IsMember({"plain", "software-gso"}));
  tunnel.add_option("--measure", words.measures, "what to measure")
      ->delimiter(',')
      ->check(CLI::IsMember({"tcp", "udp", "ping"}));
  add_rounds(tunnel, options.rounds, 100);
  tunnel.add_option("--seconds", options.seconds, "seconds of each TCP measurement")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  add_files(tunnel, options.files);
  tunnel.add_flag("--check", options.check, "judge the acceptance thresholds; exit code 2 when one is missed");
}

std::string own_folder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

int run_tunnel(const TunnelWords& words, TunnelBenchOptions& options) {
  auto candidates = parse_candidates(words.peers, words.choices, own_folder());
  if (!candidates) {
    std::fprintf(stderr, "fireline-bench: %s\n", candidates.error().c_str());
    return 1;
  }
  options.candidates = std::move(*candidates);
  options.mtus = words.mtus;
  options.underlays = underlays_of(words.underlays);
  const auto has = [&](const char* word) { return contains(words.measures, word); };
  options.tcp = has("tcp");
  options.udp = has("udp");
  options.ping = has("ping");
  return run_tunnel_bench(options);
}

struct RelayWords {
  std::string candidates = "fireline,coturn,forwarding";
  std::vector<std::string> underlays{"plain"};
  std::vector<std::string> measures{"singles", "trains", "cores", "latency", "fairness", "setup"};
};

void add_relay(CLI::App& relay, RelayWords& words, RelayBenchOptions& options) {
  relay
      .add_option("--candidates", words.candidates,
                  "NAME[=BINARY],…: fireline, fireline-xdp, coturn, forwarding (the kernel in a relay's place)")
      ->capture_default_str();
  relay.add_option("--allocations", options.allocations, "allocations that share the load; fairness always takes 100")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{1}, kAllocationsMax));
  relay.add_option("--size", options.payloads, "bytes of a datagram's payload")
      ->delimiter(',')
      ->check(CLI::Range(16, 1440));
  relay.add_option("--underlay", words.underlays, "plain: veth; software-gso: segmented before the veth")
      ->delimiter(',')
      ->check(CLI::IsMember({"plain", "software-gso"}));
  relay
      .add_option("--measure", words.measures,
                  "what to measure; trains: from one sender, cores: from a sender on each core")
      ->delimiter(',')
      ->check(CLI::IsMember({"singles", "trains", "cores", "latency", "fairness", "setup"}));
  add_rounds(relay, options.rounds, 100);
  add_files(relay, options.files);
  relay.add_flag("--check", options.check, "judge the acceptance thresholds; exit code 2 when one is missed");
}

void add_node(CLI::App& node, NodeBenchOptions& options) {
  node.add_option("--idle", options.idle, "connections that do nothing; 0: not measured")
      ->check(CLI::Range(std::size_t{0}, kNodeClientsMax))
      ->capture_default_str();
  node.add_option("--busy", options.busy, "connections that take turns; the first number is the yardstick")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{1}, kNodeClientsMax));
  node.add_option("--seconds", options.seconds, "of virtual time over which idle ones are metered")
      ->check(CLI::Range(60, 3600))
      ->capture_default_str();
  add_rounds(node, options.rounds, 1000);
  add_files(node, options.files);
  node.add_flag("--check", options.check, "judge the acceptance thresholds; exit code 2 when one is missed");
}

void add_crowd(CLI::App& crowd, CrowdBenchOptions& options) {
  crowd.add_option("--program", options.program, "the fireline-wg to be measured")->capture_default_str();
  crowd.add_option("--peers", options.peers, "peers that take turns")
      ->check(CLI::Range(std::size_t{64}, kCrowdPeersMax))
      ->capture_default_str();
  add_rounds(crowd, options.rounds, 20);
  add_files(crowd, options.files);
  crowd.add_flag("--check", options.check, "judge the acceptance thresholds; exit code 2 when one is missed");
}

int run_relay(const RelayWords& words, RelayBenchOptions& options) {
  auto candidates = parse_relay_candidates(words.candidates, own_folder());
  if (!candidates) {
    std::fprintf(stderr, "fireline-bench: %s\n", candidates.error().c_str());
    return 1;
  }
  options.candidates = std::move(*candidates);
  options.underlays = underlays_of(words.underlays);
  options.singles = contains(words.measures, "singles");
  options.trains = contains(words.measures, "trains");
  options.cores = contains(words.measures, "cores");
  options.latency = contains(words.measures, "latency");
  options.fairness = contains(words.measures, "fairness");
  options.setup = contains(words.measures, "setup");
  return run_relay_bench(options);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Measures fireline side by side with other programs", "fireline-bench"};
  app.set_version_flag("--version", "fireline-bench " FIRELINE_VERSION);
  app.require_subcommand(1);

  TunnelWords words;
  TunnelBenchOptions tunnel_options;
  for (int i = 0; i < argc; ++i) tunnel_options.command += (i == 0 ? "" : " ") + std::string(argv[i]);
  CLI::App& tunnel = *app.add_subcommand("tunnel", "whole tunnels between two network namespaces (needs root)");
  add_tunnel(tunnel, words, tunnel_options);

  RelayWords relay_words;
  RelayBenchOptions relay_options;
  relay_options.command = tunnel_options.command;
  CLI::App& relay = *app.add_subcommand("relay", "TURN relays between clients and a peer (needs root)");
  add_relay(relay, relay_words, relay_options);

  AeadBenchOptions aead_options;
  CLI::App& aead = *app.add_subcommand("aead", "what sealing and opening a packet costs with each backend");
  add_rounds(aead, aead_options.rounds, 1000);
  add_files(aead, aead_options.files);
  aead_options.command = tunnel_options.command;

  UdpBenchOptions udp_options;
  CLI::App& udp = *app.add_subcommand("udp", "what sending and receiving a datagram costs, by system call and train");
  add_rounds(udp, udp_options.rounds, 1000);
  udp.add_option("--bytes", udp_options.bytes, "UDP payload of a datagram")
      ->check(CLI::Range(16, 1472))
      ->capture_default_str();
  add_files(udp, udp_options.files);
  udp_options.command = tunnel_options.command;

  NodeBenchOptions node_options;
  node_options.command = tunnel_options.command;
  CLI::App& node = *app.add_subcommand("node", "what a gateway's idle and busy connections cost it, without sockets");
  add_node(node, node_options);

  PeersBenchOptions peers_options;
  peers_options.command = tunnel_options.command;
  CLI::App& peers = *app.add_subcommand("peers", "what a WireGuard device's many peers cost it, without sockets");
  peers.add_option("--peers", peers_options.peers, "peers that take turns; the first number is the yardstick")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{1}, kBenchPeersMax));
  add_rounds(peers, peers_options.rounds, 1000);
  add_files(peers, peers_options.files);
  peers.add_flag("--check", peers_options.check, "judge the acceptance thresholds; exit code 2 when one is missed");

  CrowdBenchOptions crowd_options;
  crowd_options.command = tunnel_options.command;
  crowd_options.program = own_folder() + "/fireline-wg";
  CLI::App& crowd = *app.add_subcommand("crowd", "what many peers' packets cost a whole fireline-wg (needs root)");
  add_crowd(crowd, crowd_options);

  XdpBenchOptions xdp_options;
  xdp_options.command = tunnel_options.command;
  CLI::App& xdp = *app.add_subcommand("xdp", "what a frame costs in the relay's XDP program (needs root)");
  add_rounds(xdp, xdp_options.rounds, 1000);
  xdp.add_option("--channels", xdp_options.channels, "bound channels that take turns")
      ->delimiter(',')
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  xdp.add_flag("!--no-live", xdp_options.live, "without live frames over a veth");
  add_files(xdp, xdp_options.files);
  xdp.add_flag("--check", xdp_options.check, "judge the acceptance thresholds; exit code 2 when one is missed");

  std::string report;
  std::string page_path;
  CLI::App& page = *app.add_subcommand("page", "the page with plots of a report that --json wrote");
  page.add_option("REPORT", report, "the report")->required();
  page.add_option("--html", page_path, "file for the page")->required()->check(check_writable);

  if (const auto exit = fireline::parse_command_line(app, argc, argv)) return fireline::leave(*exit, "fireline-bench");
  try {
    if (page) return write_page(report, page_path);
    if (xdp) return run_xdp_bench(xdp_options);
    if (udp) return run_udp_bench(udp_options);
    if (aead) return run_aead_bench(aead_options);
    if (crowd) return run_crowd_bench(crowd_options);
    if (peers) return run_peers_bench(peers_options);
    if (node) return run_node_bench(node_options);
    if (relay) return run_relay(relay_words, relay_options);
    if (tunnel) return run_tunnel(words, tunnel_options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fireline-bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
