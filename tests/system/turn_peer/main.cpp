// One TURN allocation over UDP sockets, driven by lines, so that a scenario can set it against a foreign server.
// usage: system_turn_peer [--unsigned-errors] USER PASSWORD LOCAL SERVER [LOCAL SERVER]
//   LOCAL and SERVER are ADDRESS:PORT of one family; the second pair is of the other one.
// stdin:  "send PEER TEXT" through a channel, which the first one starts; "refresh", "counters". Its end ends the
// program. stdout: "added KIND ADDRESS", "invalidated KIND ADDRESS", "discarded REASON", "sent PEER", "data PEER TEXT",
//         "counters NAME=VALUE …", also at the end.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "core/stun/channel_data.h"
#include "core/turn/allocation.h"
#include "io/socket_address.h"

using namespace fireline;

namespace {

constexpr std::size_t kDatagramBytesMax = 2048;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "system_turn_peer: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

Now read_clocks() {
  timespec boot{}, wall{};
  clock_gettime(CLOCK_BOOTTIME, &boot);
  clock_gettime(CLOCK_REALTIME, &wall);
  const auto duration = [](const timespec& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  };
  return {Instant(duration(boot)), UnixTime(duration(wall))};
}

Endpoint endpoint(std::string_view text) {
  const auto parsed = Endpoint::parse(text);
  if (!parsed) fail("no address and port: " + std::string(text));
  return *parsed;
}

struct Socket {
  int descriptor = -1;
  Endpoint local;
};

Socket open_socket(const Endpoint& local) {
  const int family = local.address.is_v4() ? AF_INET : AF_INET6;
  const int descriptor = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail("socket");
  const auto address = io::to_socket_address(local);
  if (bind(descriptor, address.get(), address.length) != 0) fail("bind");
  return {descriptor, local};
}

class Peer {
 public:
  Peer(const turn::RelayAddresses& servers, const turn::Credentials& credentials,
       const turn::AllocationOptions& options, std::vector<Socket> sockets)
      : sockets_(std::move(sockets)), allocation_(read_clocks(), servers, credentials, options, random_, counters_) {
    drain();
  }

  void run() {
    while (wait()) {
      for (const auto& one : sockets_) receive(one);
      const Now now = read_clocks();
      if (const auto timeout = allocation_.poll_timeout(); timeout && *timeout <= now.boot) {
        allocation_.handle_timeout(now);
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
    if (const auto timeout = allocation_.poll_timeout()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*timeout - read_clocks().boot).count();
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
    constexpr std::string_view kSend = "send ";
    if (line.starts_with(kSend)) {
      line.remove_prefix(kSend.size());
      const auto space = line.find(' ');
      if (space == std::string_view::npos) fail("send PEER TEXT");
      send_data(endpoint(line.substr(0, space)), line.substr(space + 1));
    } else if (line == "refresh") {
      allocation_.refresh(read_clocks());
      drain();
    } else if (line == "counters") {
      print_counters();
    } else {
      fail("unknown line: " + std::string(line));
    }
  }

  void send_data(const Endpoint& peer, std::string_view text) {
    const auto channel = allocation_.channel_for(read_clocks(), peer);
    drain();
    if (!channel) return;
    std::vector<std::byte> datagram(stun::kChannelHeaderBytes + text.size());
    stun::write_channel_header(datagram, *channel, static_cast<std::uint16_t>(text.size()));
    std::memcpy(datagram.data() + stun::kChannelHeaderBytes, text.data(), text.size());
    send(allocation_.server().value(), datagram);
    std::printf("sent %s\n", peer.to_string().c_str());
    std::fflush(stdout);
  }

  void receive(const Socket& one) {
    std::array<std::byte, kDatagramBytesMax> bytes;
    for (;;) {
      io::SocketAddress from;
      from.length = sizeof(from.storage);
      const ssize_t count = recvfrom(one.descriptor, bytes.data(), bytes.size(), 0, from.get(), &from.length);
      if (count < 0) return;
      const auto source = io::to_endpoint(from.storage, from.length, one.local.address.family());
      const auto datagram = ConstBytes(bytes).first(static_cast<std::size_t>(count));
      if (!source || !allocation_.servers().contains(*source)) continue;
      if (stun::kind_of(datagram) == stun::DatagramKind::channel_data) {
        print_data(allocation_.unwrap(read_clocks(), datagram));
      } else {
        allocation_.handle_response(read_clocks(), *source, one.local, datagram);
      }
      drain();
    }
  }

  static void print_data(const std::optional<turn::ChannelPayload>& data) {
    if (!data) return;
    std::string text(data->payload.size(), '\0');
    std::memcpy(text.data(), data->payload.data(), text.size());
    std::printf("data %s %s\n", data->peer.to_string().c_str(), text.c_str());
  }

  void drain() {
    std::array<std::byte, turn::kMaxRequestBytes> out;
    while (const auto transmit = allocation_.poll_transmit(out)) {
      send(transmit->destination, ConstBytes(out).first(transmit->bytes));
    }
    while (const auto event = allocation_.poll_event()) {
      if (event->kind == turn::EventKind::discarded) {
        std::printf("discarded %s\n", std::string(name_of(event->reason)).c_str());
        continue;
      }
      std::printf("%s %s %s\n", event->kind == turn::EventKind::candidate_added ? "added" : "invalidated",
                  std::string(name_of(event->candidate.kind)).c_str(), event->candidate.address.to_string().c_str());
    }
    std::fflush(stdout);
  }

  void send(const Endpoint& destination, ConstBytes bytes) {
    for (const auto& one : sockets_) {
      if (one.local.address.family() != destination.address.family()) continue;
      const auto to = io::to_socket_address(destination);
      sendto(one.descriptor, bytes.data(), bytes.size(), 0, to.get(), to.length);
    }
  }

  void print_counters() const {
    std::printf("counters");
    counters_.for_each([](std::string_view name, std::uint64_t value) {
      if (value > 0) std::printf(" %s=%llu", std::string(name).c_str(), static_cast<unsigned long long>(value));
    });
    std::printf("\n");
    std::fflush(stdout);
  }

  std::vector<Socket> sockets_;
  crypto::SystemRandom random_;
  Counters<turn::TurnCounter> counters_;
  turn::Allocation allocation_;
  std::string input_;
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  turn::AllocationOptions options;
  if (!arguments.empty() && arguments.front() == "--unsigned-errors") {
    options.accept_unsigned_errors = true;
    arguments.erase(arguments.begin());
  }
  if (arguments.size() != 4 && arguments.size() != 6) fail("usage: USER PASSWORD LOCAL SERVER [LOCAL SERVER]");
  turn::RelayAddresses servers;
  std::vector<Socket> sockets;
  for (std::size_t i = 2; i < arguments.size(); i += 2) {
    sockets.push_back(open_socket(endpoint(arguments[i])));
    const Endpoint server = endpoint(arguments[i + 1]);
    (server.address.is_v4() ? servers.v4 : servers.v6) = server;
  }
  Peer(servers, turn::Credentials(arguments[0], arguments[1]), options, std::move(sockets)).run();
}
