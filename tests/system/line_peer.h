// What programs share that join one sans-I/O protocol to UDP sockets and obey lines on stdin, so that a scenario can
// set the protocol against a foreign one. Any failure ends the program with a sentence. One thread.
#pragma once
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/counters.h"
#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/base/wire.h"
#include "io/loop_thread.h"
#include "io/socket_address.h"

namespace fireline::test {

inline constexpr std::size_t kDatagramBytesMax = 2048;

[[noreturn]] inline void fail(const std::string& what) {
  std::fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what.c_str(), std::strerror(errno));
  std::exit(1);
}

struct Socket {
  int descriptor = -1;
  Endpoint local;
};

// Port 0: the kernel chooses one, and `local` says which.
inline Socket open_socket(const Endpoint& local) {
  const int family = local.address.is_v4() ? AF_INET : AF_INET6;
  const int descriptor = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail("socket");
  const auto wanted = io::to_socket_address(local);
  if (bind(descriptor, wanted.get(), wanted.length) != 0) fail("bind");
  io::SocketAddress bound;
  bound.length = sizeof(bound.storage);
  if (getsockname(descriptor, bound.get(), &bound.length) != 0) fail("getsockname");
  const auto endpoint = io::to_endpoint(bound.storage, bound.length, local.address.family());
  if (!endpoint) fail("getsockname");
  return {descriptor, *endpoint};
}

// Calls `take(source, datagram)` with each datagram that waits.
void receive_all(const Socket& socket, const auto& take) {
  std::array<std::byte, kDatagramBytesMax> bytes;
  for (;;) {
    io::SocketAddress from;
    from.length = sizeof(from.storage);
    const ssize_t count = recvfrom(socket.descriptor, bytes.data(), bytes.size(), 0, from.get(), &from.length);
    if (count < 0) return;
    const auto source = io::to_endpoint(from.storage, from.length, socket.local.address.family());
    if (source) take(*source, ConstBytes(bytes).first(static_cast<std::size_t>(count)));
  }
}

inline void send_from(const Socket& socket, const Endpoint& destination, ConstBytes bytes) {
  const auto to = io::to_socket_address(destination);
  sendto(socket.descriptor, bytes.data(), bytes.size(), 0, to.get(), to.length);
}

inline std::string text_of(ConstBytes bytes) {
  std::string text(bytes.size(), '\0');
  std::memcpy(text.data(), bytes.data(), bytes.size());
  return text;
}

template <typename Counter>
void print_counters(const Counters<Counter>& counters) {
  std::printf("counters");
  counters.for_each([](std::string_view name, std::uint64_t value) {
    if (value > 0) std::printf(" %s=%llu", std::string(name).c_str(), static_cast<unsigned long long>(value));
  });
  std::printf("\n");
  std::fflush(stdout);
}

// stdin, line by line.
class Lines {
 public:
  // Sleeps until a datagram, a line or the timeout comes, and calls `obey(line)` with each line. False at stdin's end.
  [[nodiscard]] bool wait(const std::vector<Socket>& sockets, std::optional<Instant> timeout, const auto& obey) {
    std::vector<pollfd> descriptors{{STDIN_FILENO, POLLIN, 0}};
    for (const auto& one : sockets) descriptors.push_back({one.descriptor, POLLIN, 0});
    int milliseconds = -1;
    if (timeout) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*timeout - io::read_clocks().boot).count();
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

 private:
  std::string input_;
};

}  // namespace fireline::test
