#include "tools/bench/namespace_pair.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "tools/bench/process.h"

namespace fireline::bench {
namespace {

constexpr const char* kPrefix = "flbench-";

void ip(const std::string& network_namespace, const std::string& words) {
  run_in(network_namespace, "ip " + words);
}

void as_underlay(Underlay underlay, const std::string& network_namespace, const char* device) {
  if (underlay == Underlay::plain) return;
  run_in(network_namespace, fmt::format("ethtool -K {} tso off tx-udp-segmentation off gro on", device));
}

// Namespaces of benchmark processes that are gone.
void remove_leftovers() {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/run/netns", error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    const int owner = std::atoi(name.c_str() + std::strlen(kPrefix));
    if (owner > 0 && !std::filesystem::exists(fmt::format("/proc/{}", owner))) ip("", "netns del " + name);
  }
}

std::string file_content(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

const char* name_of(Underlay underlay) noexcept {
  return underlay == Underlay::plain ? "plain" : "software-gso";
}

NamespacePair::NamespacePair(Underlay underlay, Joint joint)
    : underlay_(underlay), a_(fmt::format("{}{}-a", kPrefix, getpid())), b_(fmt::format("{}{}-b", kPrefix, getpid())) {
  if (geteuid() != 0) throw BenchError("network namespaces need root: run as root");
  remove_leftovers();
  try {
    ip("", "netns add " + a_);
    ip("", "netns add " + b_);
    if (joint == Joint::bridge) {
      join_by_bridge();
    } else {
      ip(a_, "link add under type veth peer name under netns " + b_);
    }
    for (const auto& [name, address] : {std::pair{a_, kUnderlayA}, std::pair{b_, kUnderlayB}}) {
      ip(name, fmt::format("address add {}/24 dev under", address));
      ip(name, "link set lo up");
      ip(name, "link set under up");
      as_underlay(underlay_, name, "under");
    }
  } catch (...) {
    remove();
    throw;
  }
}

void NamespacePair::join_by_bridge() {
  relay_ = fmt::format("{}{}-r", kPrefix, getpid());
  bridge_ = fmt::format("{}{}-s", kPrefix, getpid());
  ip("", "netns add " + relay_);
  ip("", "netns add " + bridge_);
  ip(bridge_, "link add name switch type bridge");
  ip(bridge_, "link set switch up");
  for (const auto& [port, name] : {std::pair{"a", a_}, {"b", b_}, {"under", relay_}}) {
    ip(bridge_, fmt::format("link add name {} type veth peer name under netns {}", port, name));
    ip(bridge_, fmt::format("link set dev {} master switch up", port));
    as_underlay(underlay_, bridge_, port);
  }
  ip(relay_, fmt::format("address add {}/24 dev under", kUnderlayRelay));
  ip(relay_, "link set lo up");
  ip(relay_, "link set under up");
  as_underlay(underlay_, relay_, "under");
}

NamespacePair::~NamespacePair() {
  remove();
}

void NamespacePair::remove() noexcept {
  for (const std::string& name : {a_, b_, relay_, bridge_}) {
    if (name.empty()) continue;
    try {
      Child child({{"ip", "netns", "del", name}, "", {}, {}});
      child.wait(std::chrono::seconds(5));
    } catch (const std::exception&) {
      // Interrupted a second time, or never made: the next run removes what is left.
    }
  }
}

InsideNamespace::InsideNamespace(const std::string& network_namespace)
    : outside_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  const io::FileDescriptor inside(open(("/run/netns/" + network_namespace).c_str(), O_RDONLY | O_CLOEXEC));
  if (!outside_ || !inside || setns(inside.get(), CLONE_NEWNET) != 0) {
    throw BenchError(fmt::format("cannot enter namespace {}: {}", network_namespace, std::strerror(errno)));
  }
}

InsideNamespace::~InsideNamespace() {
  // A thread in the wrong namespace would measure something else.
  if (setns(outside_.get(), CLONE_NEWNET) != 0) std::abort();
}

std::unique_ptr<io::UdpSocket> open_udp_socket(const std::string& network_namespace, const io::UdpOptions& options) {
  const InsideNamespace inside(network_namespace);
  auto socket = io::UdpSocket::open(options);
  if (!socket) throw BenchError(socket.error().to_string());
  return std::move(*socket);
}

KernelCounters kernel_counters(const std::string& network_namespace) {
  const InsideNamespace inside(network_namespace);
  KernelCounters counters;
  read_counters(file_content("/proc/thread-self/net/netstat"), counters);
  read_counters(file_content("/proc/thread-self/net/snmp"), counters);
  return counters;
}

void read_counters(const std::string& text, KernelCounters& counters) {
  std::istringstream lines(text);
  std::string names;
  std::string values;
  while (std::getline(lines, names) && std::getline(lines, values)) {
    std::istringstream name_words(names);
    std::istringstream value_words(values);
    std::string group;
    std::string same_group;
    name_words >> group;
    value_words >> same_group;
    if (group != same_group || group.empty() || group.back() != ':') return;
    group.back() = '.';
    std::string name;
    std::int64_t value = 0;
    while (name_words >> name && value_words >> value) counters[group + name] = value;
  }
}

}  // namespace fireline::bench
