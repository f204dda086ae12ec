// Sends prepared messages in turn at a bounded rate: the engine of generators.py, which prepares them.
// usage: system_sender RATE udp ADDRESS PORT[-LAST] | system_sender RATE interface NAME
// With LAST each message goes to the next port of the range, and answers are not counted.
// RATE is messages per second, 0: as fast as it goes. The messages come on the standard input, each behind its length
// as 32-bit little-endian. Runs until SIGTERM, then prints one line of JSON: sent, refused, received, cookie_replies,
// seconds.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {
using Clock = std::chrono::steady_clock;
using Message = std::vector<unsigned char>;

constexpr auto kTick = std::chrono::milliseconds(1);  // far below what the receivers' socket buffers hold
constexpr double kBacklogSeconds = 0.2;               // after a pause it does not catch up with more than this
constexpr std::uint64_t kUnpacedBurst = 64;
constexpr std::size_t kCookieReplyBytes = 64;

volatile std::sig_atomic_t g_ended = 0;

std::vector<Message> read_messages() {
  std::vector<Message> messages;
  std::array<unsigned char, 4> head{};
  while (std::fread(head.data(), 1, head.size(), stdin) == head.size()) {
    const std::size_t length =
        head[0] | static_cast<std::size_t>(head[1]) << 8U | static_cast<std::size_t>(head[2]) << 16U;
    Message message(length);
    if (std::fread(message.data(), 1, length, stdin) != length) break;
    messages.push_back(std::move(message));
  }
  return messages;
}

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// A port, or a range of ports of one address.
class UdpTarget {
 public:
  UdpTarget(const char* address, const char* ports) : is_v6_(std::strchr(address, ':') != nullptr) {
    char* end = nullptr;
    first_ = std::strtoul(ports, &end, 10);
    last_ = *end == '-' ? std::strtoul(end + 1, nullptr, 10) : first_;
    v4_.sin_family = AF_INET;
    v6_.sin6_family = AF_INET6;
    inet_pton(is_v6_ ? AF_INET6 : AF_INET, address, is_v6_ ? static_cast<void*>(&v6_.sin6_addr) : &v4_.sin_addr);
    fd_ = socket(is_v6_ ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0) fail("socket");
    // Connected where it can be: refusals are reported, and each send is cheaper.
    set_port(first_);
    if (is_single() && connect(fd_, address_of(), length()) != 0) fail("connect");
  }

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool is_single() const { return first_ == last_; }

  ssize_t send_next(const Message& message) {
    if (is_single()) return send(fd_, message.data(), message.size(), 0);
    set_port(first_ + next_++ % (last_ - first_ + 1));
    return sendto(fd_, message.data(), message.size(), 0, address_of(), length());
  }

 private:
  void set_port(unsigned long port) { v4_.sin_port = v6_.sin6_port = htons(static_cast<std::uint16_t>(port)); }
  [[nodiscard]] const sockaddr* address_of() const {
    return is_v6_ ? reinterpret_cast<const sockaddr*>(&v6_) : reinterpret_cast<const sockaddr*>(&v4_);
  }
  [[nodiscard]] socklen_t length() const { return is_v6_ ? sizeof(v6_) : sizeof(v4_); }

  bool is_v6_;
  sockaddr_in v4_{};
  sockaddr_in6 v6_{};
  unsigned long first_ = 0;
  unsigned long last_ = 0;
  unsigned long next_ = 0;
  int fd_ = -1;
};

// The kernel wants to know the protocol of a raw packet: by its first nibble, as a router would.
sockaddr_ll link_address(unsigned interface, const Message& message) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(interface);
  const bool v6 = !message.empty() && message[0] >> 4U == 6;
  address.sll_protocol = htons(v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP);
  return address;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: system_sender RATE udp ADDRESS PORT[-LAST] | system_sender RATE interface NAME\n");
    return 2;
  }
  const double rate = std::strtod(argv[1], nullptr);
  const bool udp = std::string(argv[2]) == "udp" && argc == 5;
  for (const int number : {SIGTERM, SIGINT}) std::signal(number, [](int) { g_ended = 1; });
  const std::vector<Message> messages = read_messages();
  if (messages.empty()) {
    std::fprintf(stderr, "system_sender: no messages on the standard input\n");
    return 1;
  }
  const unsigned interface = udp ? 0 : if_nametoindex(argv[3]);
  std::optional<UdpTarget> target;
  if (udp) target.emplace(argv[3], argv[4]);
  const int fd = udp ? target->fd() : socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || (!udp && interface == 0)) fail(argv[3]);

  std::uint64_t sent = 0;
  std::uint64_t refused = 0;
  std::uint64_t received = 0;
  std::uint64_t cookie_replies = 0;
  double skipped = 0;  // what a pause made impossible
  std::size_t next = 0;
  const Clock::time_point begin = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  while (g_ended == 0) {
    std::uint64_t due = kUnpacedBurst;
    if (rate > 0) {
      double behind = rate * elapsed() - static_cast<double>(sent + refused) - skipped;
      const double most = std::max(1.0, rate * kBacklogSeconds);
      if (behind > most) {
        skipped += behind - most;
        behind = most;
      }
      due = behind > 0 ? static_cast<std::uint64_t>(behind) : 0;
    }
    for (; due > 0; --due) {
      const Message& message = messages[next++ % messages.size()];
      ssize_t result = 0;
      if (udp) {
        result = target->send_next(message);
      } else {
        const sockaddr_ll to = link_address(interface, message);
        result = sendto(fd, message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
      }
      // Refusals are the network's business: ECONNREFUSED while the receiver restarts, ENOBUFS, EMSGSIZE.
      ++(result >= 0 ? sent : refused);
    }
    std::array<unsigned char, 2048> answer{};
    while (udp && target->is_single()) {
      const ssize_t length = recv(fd, answer.data(), answer.size(), MSG_DONTWAIT);
      if (length < 0) break;
      ++received;
      if (static_cast<std::size_t>(length) == kCookieReplyBytes && answer[0] == 3) ++cookie_replies;
    }
    if (rate > 0) std::this_thread::sleep_for(kTick);
  }
  std::printf(R"({"sent": %llu, "refused": %llu, "received": %llu, "cookie_replies": %llu, "seconds": %.3f})"
              "\n",
              static_cast<unsigned long long>(sent), static_cast<unsigned long long>(refused),
              static_cast<unsigned long long>(received), static_cast<unsigned long long>(cookie_replies), elapsed());
  close(fd);
  return 0;
}
