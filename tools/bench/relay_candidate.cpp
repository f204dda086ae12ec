#include "tools/bench/relay_candidate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace fireline::bench {
namespace {

constexpr std::uint16_t kServerPort = 3478;
constexpr int kLowestPort = 20000;  // a range that holds the largest number of allocations asked for
constexpr int kHighestPort = 60000;
constexpr std::chrono::seconds kReady{10};  // from start to the first answer
constexpr const char* kRealm = "bench";
constexpr const char* kUser = "bench";
constexpr const char* kPassword = "bench-password";

struct Known {
  const char* name;
  RelayCandidate::Kind kind;
  const char* program;  // in fireline's folder unless absolute
};
constexpr Known kKnown[] = {
    {"fireline", RelayCandidate::Kind::fireline, "fireline-relay"},
    {"fireline-xdp", RelayCandidate::Kind::fireline_xdp, "fireline-relay"},
    {"coturn", RelayCandidate::Kind::coturn, "/usr/bin/turnserver"},
    {"forwarding", RelayCandidate::Kind::forwarding, ""},
};

Result<RelayCandidate, std::string> parse_one(const std::string& word, const std::string& folder) {
  const std::string name = word.substr(0, word.find('='));
  const auto known = std::find_if(std::begin(kKnown), std::end(kKnown), [&](const Known& k) { return name == k.name; });
  if (known == std::end(kKnown)) {
    return err(fmt::format("--candidates: '{}' is none of fireline, fireline-xdp, coturn, forwarding", name));
  }
  RelayCandidate candidate{known->kind, name, known->program};
  if (candidate.kind == RelayCandidate::Kind::forwarding) {
    if (word != name) return err(std::string("--candidates: forwarding is no program"));
    return candidate;
  }
  if (word != name) {
    candidate.binary = word.substr(name.size() + 1);
  } else if (!candidate.binary.starts_with('/')) {
    candidate.binary = folder + "/" + candidate.binary;
  }
  if (access(candidate.binary.c_str(), X_OK) != 0) {
    return err(fmt::format("--candidates: no program {}: build it or name another with {}=PATH", candidate.binary,
                           candidate.name));
  }
  return candidate;
}

}  // namespace

Result<std::vector<RelayCandidate>, std::string> parse_relay_candidates(std::string_view names,
                                                                        const std::string& folder) {
  std::vector<RelayCandidate> candidates;
  while (!names.empty()) {
    const std::string word(names.substr(0, names.find(',')));
    names.remove_prefix(std::min(names.size(), word.size() + 1));
    auto candidate = parse_one(word, folder);
    if (!candidate) return err(candidate.error());
    const auto same = [&](const RelayCandidate& other) { return other.name == candidate->name; };
    if (std::any_of(candidates.begin(), candidates.end(), same)) {
      return err(fmt::format("--candidates: {} appears twice", candidate->name));
    }
    candidates.push_back(std::move(*candidate));
  }
  if (candidates.empty()) return err(std::string("--candidates names nobody"));
  return candidates;
}

XdpFarEnd::XdpFarEnd(const std::string& folder, const std::string& network_namespace)
    : program_(folder + "/fireline-xdp-pass"), network_namespace_(network_namespace) {
  run({{program_, "attach", "under"}, network_namespace_, {}, {}});
  run_in(network_namespace_, "ethtool -K under tx off");
}

XdpFarEnd::~XdpFarEnd() {
  try {
    run_in(network_namespace_, "ethtool -K under tx on");
    run({{program_, "detach", "under"}, network_namespace_, {}, {}});
  } catch (const std::exception&) {
    // Interrupted: the namespace goes away.
  }
}

RunningRelay::RunningRelay(const RelayCandidate& candidate, const RelayLab& lab)
    : RunningRelay(TurnServer{{IpAddress::parse(kRelayAddress).value(), kServerPort, 0}, {kUser, kPassword}}) {
  if (candidate.kind == RelayCandidate::Kind::forwarding) return;
  if (candidate.kind == RelayCandidate::Kind::fireline_xdp) {
    const auto folder = std::filesystem::path(candidate.binary).parent_path().string();
    far_end_ = std::make_unique<XdpFarEnd>(folder, lab.near());
  }
  process_ = std::make_unique<Child>(command_of(candidate, lab));
  processes_.push_back(process_->pid());
  if (answers_stun(lab.near(), server_.address, kReady)) return;
  std::string log = process_->error_output() + process_->output();
  if (log.size() > 800) log = "…" + log.substr(log.size() - 800);
  throw BenchError(fmt::format("{} ({}): {}\n{}", candidate.name, candidate.binary,
                               process_->ended() ? "ended" : "answers no STUN request", log));
}

RunningRelay::~RunningRelay() {
  std::error_code error;
  if (!users_path_.empty()) std::filesystem::remove(users_path_, error);
}

Command RunningRelay::command_of(const RelayCandidate& candidate, const RelayLab& lab) {
  const std::string address = kRelayAddress;
  const std::string port = std::to_string(kServerPort);
  Command command{{candidate.binary}, lab.relay(), {}, {}};
  if (candidate.kind == RelayCandidate::Kind::coturn) {
    // Everything off that a plain UDP relay does not need; logging to nowhere, no quota, no bandwidth limit.
    for (const std::string& word :
         {std::string("-n"), std::string("--lt-cred-mech"), fmt::format("--user={}:{}", kUser, kPassword),
          fmt::format("--realm={}", kRealm), std::string("--no-tls"), std::string("--no-dtls"), std::string("--no-tcp"),
          std::string("--no-tcp-relay"), std::string("--no-cli"), std::string("--no-stdout-log"),
          std::string("--log-file=/dev/null"), std::string("--pidfile=/dev/null"), std::string("--no-rfc5780"),
          fmt::format("--listening-ip={}", address), fmt::format("--relay-ip={}", address),
          fmt::format("--listening-port={}", port), fmt::format("--min-port={}", kLowestPort),
          fmt::format("--max-port={}", kHighestPort)}) {
      command.words.push_back(word);
    }
    return command;
  }
  users_path_ = fmt::format("{}/flbench-{}-users", std::filesystem::temp_directory_path().string(), getpid());
  std::ofstream users(users_path_);
  users << kUser << ':' << kPassword << '\n';
  if (!users.flush()) throw BenchError("cannot write " + users_path_);
  std::filesystem::permissions(users_path_, std::filesystem::perms::owner_read);
  for (const std::string& word :
       {std::string("--public-ip4-addr"), address, std::string("--auth"), std::string("static"), std::string("--users"),
        users_path_, std::string("--realm"), std::string(kRealm), std::string("--listen-port"), port,
        std::string("--max-user-allocations"), std::to_string(kHighestPort - kLowestPort + 1),
        std::string("--lowest-port"), std::to_string(kLowestPort), std::string("--highest-port"),
        std::to_string(kHighestPort), std::string("--max-allocations"),
        std::to_string(kHighestPort - kLowestPort + 1)}) {
    command.words.push_back(word);
  }
  if (candidate.kind == RelayCandidate::Kind::fireline_xdp) {
    for (const char* word : {"--ebpf-offloading", "under"}) command.words.emplace_back(word);
  }
  return command;
}

}  // namespace fireline::bench
