// One ICE agent over UDP sockets, driven by lines, so that a scenario can set it against a foreign one.
// usage: system_ice_peer controlling|controlled UFRAG PASSWORD PEER_UFRAG PEER_PASSWORD ADDRESS…
//   Each ADDRESS gets a socket with a port of the kernel's choice, and is a host candidate.
// stdin:  a candidate's text, "data TEXT" to send on the path in use, or "counters". Its end ends the program.
// stdout: "local CANDIDATE", "state NAME", "path SOURCE DESTINATION", "data TEXT", "counters NAME=VALUE …", also at the
//         end.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "core/ice/agent.h"

using namespace fireline;

namespace {

constexpr std::size_t kDatagramBytesMax = 2048;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "system_ice_peer: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

Instant boot_time() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return Instant{} + std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof(storage);

  explicit SocketAddress() = default;
  explicit SocketAddress(const Endpoint& endpoint) {
    if (endpoint.address.is_v4()) {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(endpoint.port);
      std::memcpy(&address.sin_addr, endpoint.address.bytes().data(), 4);
      bytes = sizeof(address);
      std::memcpy(&storage, &address, bytes);
    } else {
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_port = htons(endpoint.port);
      std::memcpy(&address.sin6_addr, endpoint.address.bytes().data(), 16);
      bytes = sizeof(address);
      std::memcpy(&storage, &address, bytes);
    }
  }
  [[nodiscard]] Endpoint endpoint() const {
    if (storage.ss_family == AF_INET) {
      sockaddr_in address{};
      std::memcpy(&address, &storage, sizeof(address));
      std::array<std::byte, 4> ip;
      std::memcpy(ip.data(), &address.sin_addr, ip.size());
      return {IpAddress::from_bytes(ip), ntohs(address.sin_port), 0};
    }
    sockaddr_in6 address{};
    std::memcpy(&address, &storage, sizeof(address));
    std::array<std::byte, 16> ip;
    std::memcpy(ip.data(), &address.sin6_addr, ip.size());
    return {IpAddress::from_bytes(ip), ntohs(address.sin6_port), 0};
  }
  [[nodiscard]] const sockaddr* get() const { return static_cast<const sockaddr*>(static_cast<const void*>(&storage)); }
  [[nodiscard]] sockaddr* get() { return static_cast<sockaddr*>(static_cast<void*>(&storage)); }
};

struct Socket {
  int descriptor = -1;
  Endpoint local;
};

Socket open_socket(std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (!address) fail("no address: " + std::string(text));
  const int descriptor = socket(address->is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail("socket");
  const SocketAddress wanted(Endpoint{*address, 0, 0});
  if (bind(descriptor, wanted.get(), wanted.bytes) != 0) fail("bind");
  SocketAddress bound;
  if (getsockname(descriptor, bound.get(), &bound.bytes) != 0) fail("getsockname");
  return {descriptor, bound.endpoint()};
}

class Peer {
 public:
  Peer(const ice::AgentSettings& settings, std::vector<Socket> sockets)
      : sockets_(std::move(sockets)), agent_(settings, random_, counters_) {
    for (const auto& one : sockets_) {
      const auto candidate = ice::Candidate::host(one.local);
      if (!candidate) fail("no candidate: " + one.local.to_string());
      const auto signal = agent_.add_local(boot_time(), *candidate);
      std::printf("local %s\n", ice::candidate_text(*signal, settings.local.ufrag()).c_str());
    }
    drain();
  }

  void run() {
    while (wait()) {
      for (const auto& one : sockets_) receive(one);
      if (const auto timeout = agent_.poll_timeout(); timeout && *timeout <= boot_time()) {
        agent_.handle_timeout(boot_time());
      }
      drain();
    }
    print_counters();
  }

 private:
  // False at the end of stdin.
  bool wait() {
    std::vector<pollfd> descriptors{{STDIN_FILENO, POLLIN, 0}};
    for (const auto& one : sockets_) descriptors.push_back({one.descriptor, POLLIN, 0});
    int milliseconds = -1;
    if (const auto timeout = agent_.poll_timeout()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*timeout - boot_time()).count();
      milliseconds = left < 0 ? 0 : static_cast<int>(left);
    }
    if (poll(descriptors.data(), descriptors.size(), milliseconds) < 0) fail("poll");
    if (descriptors[0].revents == 0) return true;
    std::array<char, 4096> bytes;
    const ssize_t count = read(STDIN_FILENO, bytes.data(), bytes.size());
    if (count <= 0) return false;
    input_.append(bytes.data(), static_cast<std::size_t>(count));
    for (auto end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
      obey(std::string_view(input_).substr(0, end));
      input_.erase(0, end + 1);
    }
    return true;
  }

  void obey(std::string_view line) {
    constexpr std::string_view kData = "data ";
    if (line.starts_with(kData)) {
      const auto path = agent_.path();
      if (!path) return;
      send(path->source, path->destination, std::as_bytes(std::span(line.substr(kData.size()))));
      return;
    }
    if (line == "counters") return print_counters();
    const auto text = ice::CandidateText::parse(line);
    if (!text) fail("no candidate: " + std::string(line));
    agent_.add_remote(boot_time(), *text);
    drain();
  }

  void print_counters() const {
    std::printf("counters");
    counters_.for_each([](std::string_view name, std::uint64_t value) {
      if (value > 0) std::printf(" %s=%llu", std::string(name).c_str(), static_cast<unsigned long long>(value));
    });
    std::printf("\n");
    std::fflush(stdout);
  }

  void receive(const Socket& one) {
    std::array<std::byte, kDatagramBytesMax> bytes;
    for (;;) {
      SocketAddress from;
      const ssize_t count = recvfrom(one.descriptor, bytes.data(), bytes.size(), 0, from.get(), &from.bytes);
      if (count < 0) return;
      const auto datagram = std::span(bytes).first(static_cast<std::size_t>(count));
      if (const auto message = stun::MessageView::parse(datagram)) {
        agent_.handle_binding(boot_time(), from.endpoint(), one.local, *message);
        drain();
      } else {
        std::string text(datagram.size(), '\0');
        std::memcpy(text.data(), datagram.data(), datagram.size());
        std::printf("data %s\n", text.c_str());
      }
    }
  }

  void drain() {
    std::array<std::byte, ice::kTransmitBytesMax> out;
    while (const auto transmit = agent_.poll_transmit(out)) {
      send(transmit->source, transmit->destination, std::span(out).first(transmit->bytes));
    }
    while (const auto event = agent_.poll_event()) {
      if (event->kind == ice::AgentEvent::Kind::state_changed) {
        std::printf("state %s\n", std::string(name_of(event->state)).c_str());
      } else if (event->kind == ice::AgentEvent::Kind::path_changed) {
        std::printf("path %s %s\n", event->path.source.to_string().c_str(),
                    event->path.destination.to_string().c_str());
      }
    }
    std::fflush(stdout);
  }

  void send(const Endpoint& source, const Endpoint& destination, ConstBytes bytes) {
    for (const auto& one : sockets_) {
      if (one.local != source) continue;
      const SocketAddress to(destination);
      sendto(one.descriptor, bytes.data(), bytes.size(), 0, to.get(), to.bytes);
    }
  }

  std::vector<Socket> sockets_;
  crypto::SystemRandom random_;
  Counters<ice::AgentCounter> counters_;
  ice::Agent agent_;
  std::string input_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 6) fail("usage: controlling|controlled UFRAG PASSWORD PEER_UFRAG PEER_PASSWORD ADDRESS…");
  const auto local = ice::Credentials::make(arguments[1], arguments[2]);
  const auto remote = ice::Credentials::make(arguments[3], arguments[4]);
  if (!local || !remote) fail("credentials");
  const auto role = arguments[0] == "controlling" ? ice::Role::controlling : ice::Role::controlled;
  crypto::SystemRandom random;
  std::vector<Socket> sockets;
  for (std::size_t i = 5; i < arguments.size(); ++i) sockets.push_back(open_socket(arguments[i]));
  Peer({role, *local, *remote, random.u32()}, std::move(sockets)).run();
}
