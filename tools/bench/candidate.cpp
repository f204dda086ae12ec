#include "tools/bench/candidate.h"

#include <fmt/format.h>
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "tools/bench/ping.h"

namespace fireline::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kPort = 51820;
constexpr seconds kReady{10};               // from start to the first reply
constexpr std::size_t kStatusDepthMax = 8;  // of the status JSON

std::vector<std::string> words_of(std::string_view list) {
  std::vector<std::string> words;
  while (!list.empty()) {
    const std::string_view word = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), word.size() + 1));
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

void collect(simdjson::dom::element element, ProgramCounters& counters, std::size_t depth) {
  simdjson::dom::object object;
  if (depth == 0 || element.get(object) != simdjson::SUCCESS) return;
  for (const auto field : object) {
    std::uint64_t value = 0;
    if (field.value.get(value) == simdjson::SUCCESS) {
      counters[std::string(field.key)] += value;
    } else {
      collect(field.value, counters, depth - 1);
    }
  }
}

std::vector<std::string> words_or_one_empty(std::string_view list) {
  std::vector<std::string> words = words_of(list);
  if (words.empty()) words.emplace_back();
  return words;
}

std::optional<Candidate::Kind> node_kind(std::string_view name) {
  if (name == "node") return Candidate::Kind::node;
  if (name == "node-relayed") return Candidate::Kind::node_relayed;
  return std::nullopt;
}

std::string without_newline(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

Result<std::vector<Candidate>, std::string> parse_candidates(std::string_view peers, const CandidateChoices& choices,
                                                             const std::string& folder) {
  const std::vector<std::string> modes = words_or_one_empty(choices.thread_modes);
  const std::vector<std::string> backends = words_or_one_empty(choices.udp_ios);
  const std::vector<std::string> helpers = words_or_one_empty(choices.cipher_threads);
  std::vector<Candidate> candidates;
  for (const std::string& word : words_of(peers)) {
    const std::size_t equals = word.find('=');
    Candidate candidate;
    candidate.name = word.substr(0, equals);
    if (equals != std::string::npos) candidate.binary = word.substr(equals + 1);
    if (candidate.name.empty()) return err(fmt::format("--peers: '{}' has no name", word));
    if (candidate.name == "veth") {
      if (!candidate.binary.empty()) return err(std::string("--peers: veth is no program"));
      candidate.kind = Candidate::Kind::veth;
    } else if (candidate.name == "forwarder") {
      candidate.kind = Candidate::Kind::forwarder;
      if (candidate.binary.empty()) candidate.binary = folder + "/fireline-forwarder";
    } else if (candidate.name == "sealed-forwarder") {
      candidate.kind = Candidate::Kind::sealed_forwarder;
      if (candidate.binary.empty()) candidate.binary = folder + "/fireline-forwarder";
    } else if (candidate.binary.empty()) {
      if (const auto kind = node_kind(candidate.name)) {
        candidate.kind = *kind;
        candidate.binary = folder + "/fireline-lab-node";
      } else if (candidate.name == "fireline") {
        candidate.binary = folder + "/fireline-wg";
      } else if (candidate.name == "wireguard-go") {
        candidate.binary = "/usr/bin/wireguard-go";
      } else {
        return err(fmt::format("--peers: {} needs a program: {}=/path/to/program", candidate.name, candidate.name));
      }
    }
    if (candidate.kind != Candidate::Kind::veth && access(candidate.binary.c_str(), X_OK) != 0) {
      return err(fmt::format("--peers: no program {}: build it or name another with {}=PATH", candidate.binary,
                             candidate.name));
    }
    candidate.fireline = candidate.kind == Candidate::Kind::tunnel &&
                         std::filesystem::path(candidate.binary).filename().string().starts_with("fireline-wg");
    if (!candidate.fireline) {
      candidates.push_back(std::move(candidate));
      continue;
    }
    for (const std::string& mode : modes) {
      for (const std::string& backend : backends) {
        candidate.threads = mode;
        candidate.udp_io = backend;
        for (const std::string& number : helpers) {
          candidate.cipher_threads = number;
          candidates.push_back(candidate);
        }
      }
    }
  }
  if (candidates.empty()) return err(std::string("--peers names nobody"));
  for (auto one = candidates.begin(); one != candidates.end(); ++one) {
    const auto same = [&](const Candidate& other) { return other.label() == one->label(); };
    if (std::any_of(std::next(one), candidates.end(), same)) {
      return err(fmt::format("--peers: {} appears twice", one->label()));
    }
  }
  return candidates;
}

ProgramCounters read_status(std::string_view json) {
  ProgramCounters counters;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(simdjson::padded_string(json)).get(root) == simdjson::SUCCESS) {
    collect(root, counters, kStatusDepthMax);
  }
  return counters;
}

RunningCandidate::RunningCandidate(const Candidate& candidate, const NamespacePair& lab, int mtu)
    : candidate_(candidate) {
  if (candidate.kind == Candidate::Kind::veth) return;
  address_a_ = "10.99.0.1";
  address_b_ = "10.99.0.2";
  // Both ends share /var/run/wireguard: the names differ, and carry the process id.
  a_ = {lab.a(), fmt::format("fl{}a", getpid()), kUnderlayA, address_a_, {}, {}, {}};
  b_ = {lab.b(), fmt::format("fl{}b", getpid()), kUnderlayB, address_b_, {}, {}, {}};
  if (candidate.is_node()) {
    start_nodes(lab, mtu);
    return;
  }
  if (candidate.kind == Candidate::Kind::forwarder || candidate.kind == Candidate::Kind::sealed_forwarder) {
    start_forwarder(a_, b_, mtu);
    start_forwarder(b_, a_, mtu);
  } else {
    for (End* end : {&a_, &b_}) {
      end->private_key = without_newline(run({{"wg", "genkey"}, {}, {}, {}}));
      end->public_key = without_newline(run({{"wg", "pubkey"}, {}, {}, end->private_key + "\n"}));
    }
    start_tunnel(a_, b_, mtu);
    start_tunnel(b_, a_, mtu);
  }
  for (const End* end : {&a_, &b_}) {
    processes_.push_back(end->process->pid());
    configure_address(*end, mtu);
  }
  if (!answers_ping(a_.network_namespace, address_b_, kReady)) fail(a_, "no packet comes through");
}

ProgramCounters RunningCandidate::counters(bool of_a) const {
  if (nodes_ != nullptr) return read_status(nodes_->status(of_a));
  if (!candidate_.fireline) return {};
  const End& end = of_a ? a_ : b_;
  Child child({{candidate_.binary, "--status", end.interface_name, "--json"}, end.network_namespace, {}, {}});
  child.wait(seconds(5));
  return child.exit_code() == 0 ? read_status(child.output()) : ProgramCounters{};
}

void RunningCandidate::start_nodes(const NamespacePair& lab, int mtu) {
  const bool relayed = candidate_.kind == Candidate::Kind::node_relayed;
  nodes_ = std::make_unique<NodePair>(
      candidate_.binary, lab, relayed, mtu,
      std::array{NodeEnd{a_.interface_name, a_.inner}, NodeEnd{b_.interface_name, b_.inner}});
  processes_ = nodes_->processes();
  for (const End* end : {&a_, &b_}) configure_address(*end, mtu);
  nodes_->wait_for_path();
  if (!answers_ping(a_.network_namespace, address_b_, kReady)) {
    throw BenchError(fmt::format("{}: no packet comes through\n{}", candidate_.label(), nodes_->log()));
  }
}

void RunningCandidate::start_tunnel(End& end, const End& other, int mtu) {
  Command command{{candidate_.binary, "-f", end.interface_name}, end.network_namespace, {{"LOG_LEVEL", "error"}}, {}};
  if (!candidate_.threads.empty()) command.environment.emplace_back("FIRELINE_WG_THREADS", candidate_.threads);
  if (!candidate_.udp_io.empty()) command.environment.emplace_back("FIRELINE_WG_UDP_IO", candidate_.udp_io);
  if (!candidate_.cipher_threads.empty())
    command.environment.emplace_back("FIRELINE_WG_CIPHER_THREADS", candidate_.cipher_threads);
  end.process = std::make_unique<Child>(command);
  const std::string socket = fmt::format("/var/run/wireguard/{}.sock", end.interface_name);
  for (auto waited = milliseconds(0); !std::filesystem::exists(socket); waited += milliseconds(20)) {
    if (end.process->ended()) fail(end, fmt::format("ended with {}", end.process->exit_code()));
    if (waited > kReady) fail(end, "makes no configuration socket");
    pause_for(milliseconds(20));
  }
  run_in(end.network_namespace, fmt::format("ip link set {} mtu {}", end.interface_name, mtu));
  run({{"wg", "set", end.interface_name, "private-key", "/dev/stdin", "listen-port", std::to_string(kPort), "peer",
        other.public_key, "allowed-ips", other.inner + "/32", "endpoint", fmt::format("{}:{}", other.underlay, kPort)},
       end.network_namespace,
       {},
       end.private_key + "\n"});
}

void RunningCandidate::start_forwarder(End& end, const End& other, int mtu) {
  Command command{{candidate_.binary, end.interface_name, "--listen", fmt::format("{}:{}", end.underlay, kPort),
                   "--peer", fmt::format("{}:{}", other.underlay, kPort), "--mtu", std::to_string(mtu)},
                  end.network_namespace,
                  {},
                  {}};
  if (candidate_.kind == Candidate::Kind::sealed_forwarder) command.words.emplace_back("--seal");
  end.process = std::make_unique<Child>(command);
  for (auto waited = milliseconds(0);; waited += milliseconds(20)) {
    if (end.process->ended()) fail(end, fmt::format("ended with {}", end.process->exit_code()));
    if (waited > kReady) fail(end, "makes no interface");
    pause_for(milliseconds(20));
    Child show({{"ip", "link", "show", end.interface_name}, end.network_namespace, {}, {}});
    show.wait(seconds(5));
    if (show.exit_code() == 0) return;
  }
}

void RunningCandidate::configure_address(const End& end, int mtu) {
  run_in(end.network_namespace, fmt::format("ip address add {}/24 dev {}", end.inner, end.interface_name));
  run_in(end.network_namespace, fmt::format("ip link set {} mtu {} up", end.interface_name, mtu));
}

void RunningCandidate::fail(const End& end, const std::string& what) const {
  std::string log = end.process->error_output() + end.process->output();
  if (log.size() > 600) log = "…" + log.substr(log.size() - 600);
  throw BenchError(fmt::format("{} ({}): {}\n{}", candidate_.label(), candidate_.binary, what, log));
}

}  // namespace fireline::bench
