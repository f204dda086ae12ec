#include "tools/bench/node_pair.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <fstream>

#include "core/crypto/random.h"
#include "core/crypto/sha256.h"

namespace fireline::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kReady{10};
constexpr milliseconds kLook{20};
constexpr std::time_t kCredentialSeconds = 86400;
constexpr std::array<const char*, 2> kRoles{"client", "gateway"};  // in namespaces a and b

ConstBytes bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string random_hex(std::size_t bytes) {
  crypto::SystemRandom random;
  std::string hex;
  for (std::size_t i = 0; i < bytes; ++i) hex += fmt::format("{:02x}", random.u32() & 0xff);
  return hex;
}

// An end's credentials at the relay (connectivity specification 3.6).
std::string relay_user(const std::string& secret, const char* role) {
  const auto digest = [](const std::string& text) {
    const auto hash = crypto::sha256({bytes_of(text)});
    return crypto::base64_unpadded(hash);
  };
  const std::string expiry = std::to_string(std::time(nullptr) + kCredentialSeconds);
  const std::string salt = digest(role);
  return fmt::format(R"({{"username": "{}:{}", "password": "{}"}})", expiry, salt,
                     digest(fmt::format("{}:{}:{}", expiry, secret, salt)));
}

void write_secret(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path);
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  file << text << '\n';
  if (!file.flush()) throw BenchError("cannot write " + path.string());
}

}  // namespace

NodePair::NodePair(std::string binary, const NamespacePair& lab, bool relayed, std::array<NodeEnd, 2> ends)
    : binary_(std::move(binary)), lab_(lab), relayed_(relayed), ends_(std::move(ends)) {}

NodePair::NodePair(std::string binary, const NamespacePair& lab, bool relayed, int mtu, std::array<NodeEnd, 2> ends)
    : NodePair(std::move(binary), lab, relayed, std::move(ends)) {
  auto name = (std::filesystem::temp_directory_path() / fmt::format("flbench-{}-XXXXXX", getpid())).string();
  if (mkdtemp(name.data()) == nullptr) throw BenchError("cannot make a folder " + name);
  folder_ = name;
  if (relayed_) forbid_direct_path(true);
  start_relay(std::filesystem::path(binary_).parent_path().string());
  for (std::size_t which : {1u, 0u}) start_node(which, mtu);
}

NodePair::~NodePair() {
  for (auto& node : nodes_) node.reset();
  relay_.reset();
  far_end_.reset();
  try {
    if (relayed_) forbid_direct_path(false);
  } catch (const std::exception&) {
    // Interrupted: the namespaces go away. Or it was never added.
  }
  std::error_code error;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, error);
}

void NodePair::wait_for_path() const {
  const std::string kind = relayed_ ? R"("kind": "relayed")" : R"("kind": "host")";
  for (auto waited = milliseconds(0);; waited += kLook) {
    // An end that does not know that it is behind a relay calls its own path a host's: one of both is enough.
    const bool there =
        relayed_ ? status(true).find(kind) != std::string::npos || status(false).find(kind) != std::string::npos
                 : status(true).find(kind) != std::string::npos && status(false).find(kind) != std::string::npos;
    if (there) return;
    if (waited > kReady) throw BenchError(fmt::format("the nodes found no path with {}\n{}", kind, log()));
    pause_for(kLook);
  }
}

std::string NodePair::status(bool of_a) const {
  const std::size_t which = of_a ? 0 : 1;
  Child child({{binary_, "--state", folder_ / kRoles[which], "--tun", ends_[which].interface_name, "--ask", "status"},
               {},
               {},
               {}});
  child.wait(seconds(5));
  return child.exit_code() == 0 ? child.output() : std::string();
}

std::vector<pid_t> NodePair::processes() const {
  std::vector<pid_t> all{nodes_[0]->pid(), nodes_[1]->pid()};
  if (relayed_) all.push_back(relay_->pid());
  return all;
}

std::string NodePair::log() const {
  std::string all;
  for (const auto& one : nodes_) {
    if (one != nullptr) all += one->error_output() + one->output();
  }
  constexpr std::size_t kShown = 1500;
  return all.size() > kShown ? "…" + all.substr(all.size() - kShown) : all;
}

void NodePair::start_relay(const std::string& folder) {
  const std::string secret = random_hex(32);
  write_secret(folder_ / "secret", secret);
  far_end_ = std::make_unique<XdpFarEnd>(folder, lab_.bridge());
  relay_ =
      std::make_unique<Child>(Command{{folder + "/fireline-relay", "--public-ip4-addr", kUnderlayRelay, "--auth",
                                       "firezone", "--secret-file", folder_ / "secret", "--ebpf-offloading", "under"},
                                      lab_.relay(),
                                      {},
                                      {}});
  std::string relays;
  for (const char* role : kRoles) relays += fmt::format(R"(, "{}": {})", role, relay_user(secret, role));
  std::string ends;
  for (std::size_t which = 0; which < kRoles.size(); ++which) {
    ends += fmt::format(
        R"("{}": {{"id": "the-{}", "private_key": "{}", "addresses": ["{}/32"], "ice": {{"username": "uf{}x", "password": "{}"}}}}, )",
        kRoles[which], kRoles[which], random_hex(32), ends_[which].inner, which, random_hex(11));
  }
  write_secret(folder_ / "rendezvous",
               fmt::format(R"({{{} "preshared_key": "{}", "relays": [{{"id": "relay", "addresses": ["{}:3478"]{}}}]}})",
                           ends, random_hex(32), kUnderlayRelay, relays));
}

void NodePair::start_node(std::size_t which, int mtu) {
  const std::string& network_namespace = which == 0 ? lab_.a() : lab_.b();
  const std::filesystem::path state = folder_ / kRoles[which];
  std::filesystem::create_directory(state);
  nodes_[which] = std::make_unique<Child>(
      Command{{binary_, "--role", kRoles[which], "--rendezvous", folder_ / "rendezvous", "--state", state, "--tun",
               ends_[which].interface_name, "--mtu", std::to_string(mtu), "--log-level", "error"},
              network_namespace,
              {},
              {}});
  const auto socket = state / (ends_[which].interface_name + ".sock");
  for (auto waited = milliseconds(0); !std::filesystem::exists(socket); waited += kLook) {
    if (nodes_[which]->ended() || waited > kReady) {
      throw BenchError(fmt::format("the {}'s node does not start\n{}", kRoles[which], log()));
    }
    pause_for(kLook);
  }
}

void NodePair::forbid_direct_path(bool on) const {
  const char* change = on ? "add" : "del";
  run_in(lab_.a(), fmt::format("ip route {} unreachable {}/32", change, kUnderlayB));
  run_in(lab_.b(), fmt::format("ip route {} unreachable {}/32", change, kUnderlayA));
}

}  // namespace fireline::bench
