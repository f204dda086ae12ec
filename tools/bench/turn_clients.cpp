#include "tools/bench/turn_clients.h"

#include <fmt/format.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "io/socket_address.h"
#include "tools/bench/namespace_pair.h"
#include "tools/bench/process.h"
#include "tools/bench/relay_lab.h"

namespace fireline::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kBufferBytes = 16 << 20;  // the generator must not be where datagrams are lost
// Handshakes in flight: more than a server's threads, few enough for its receive buffer of default size.
constexpr std::size_t kWindow = 64;
constexpr milliseconds kRetry{500};     // RFC 8489 section 6.2.1
constexpr milliseconds kGiveUp{10000};  // for all of them, and for each one a little more
constexpr milliseconds kGiveUpEach{2};
constexpr std::size_t kAnswerBytes = 2048;
constexpr rlim_t kDescriptors = 65536;  // two for each of some ten thousand allocations

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kDescriptors) return;
  limit.rlim_cur = std::min<rlim_t>(kDescriptors, limit.rlim_max);
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

void connect_to(int socket, const Endpoint& target) {
  const io::SocketAddress address = io::to_socket_address(target);
  if (connect(socket, address.get(), address.length) != 0) {
    throw BenchError(fmt::format("cannot connect to {}: {}", target.to_string(), std::strerror(errno)));
  }
}

constexpr std::uint16_t kLowestClientPort = 1024;
constexpr std::uint16_t kHighestClientPort = 65000;

// A client socket on a port that no client had for a long time: servers remember for a while who had an allocation, and
// refuse the same address and port another one. Each on the next address, because servers bound how many
// unauthenticated requests of one address they answer.
io::FileDescriptor client_socket(const std::string& network_namespace) {
  static std::uint16_t port = kLowestClientPort;
  static unsigned host = 0;
  port = port == kHighestClientPort ? kLowestClientPort : static_cast<std::uint16_t>(port + 1);
  host = host % kClientAddresses + 1;
  const auto address = IpAddress::parse(fmt::format("{}{}", kClientNetwork, host));
  return bench_socket(network_namespace, {address.value(), port, 0});
}

void send_to_server(int socket, ConstBytes bytes) {
  if (!bytes.empty()) (void)::send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT);  // lost ones are repeated
}

}  // namespace

io::FileDescriptor bench_socket(const std::string& network_namespace, const Endpoint& local) {
  const InsideNamespace inside(network_namespace);
  const int family = local.address.is_v4() ? AF_INET : AF_INET6;
  io::FileDescriptor descriptor(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!descriptor) throw BenchError(fmt::format("cannot open a UDP socket: {}", std::strerror(errno)));
  const int on = 1;
  (void)setsockopt(descriptor.get(), IPPROTO_UDP, UDP_GRO, &on, sizeof on);
  (void)setsockopt(descriptor.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes, sizeof kBufferBytes);
  const io::SocketAddress address = io::to_socket_address(local);
  if (bind(descriptor.get(), address.get(), address.length) != 0) {
    throw BenchError(fmt::format("cannot bind {}: {}", local.to_string(), std::strerror(errno)));
  }
  return descriptor;
}

Endpoint local_endpoint(int socket) {
  io::SocketAddress address;
  address.length = sizeof address.storage;
  if (getsockname(socket, address.get(), &address.length) != 0) throw BenchError("getsockname failed");
  const Family family = address.storage.ss_family == AF_INET ? Family::v4 : Family::v6;
  return io::to_endpoint(address.storage, address.length, family).value();
}

std::vector<Flow> plain_flows(const std::string& network_namespace, const Endpoint& peer, std::size_t count) {
  raise_descriptor_limit();
  std::vector<Flow> flows;
  for (std::size_t i = 0; i < count; ++i) {
    Flow flow{client_socket(network_namespace), {}, 0};
    connect_to(flow.socket.get(), peer);
    flow.reached_at = local_endpoint(flow.socket.get());
    flows.push_back(std::move(flow));
  }
  return flows;
}

TurnClients::TurnClients(const std::string& network_namespace, const TurnServer& server, const Endpoint& peer,
                         std::size_t count) {
  raise_descriptor_limit();
  sessions_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    Flow flow{client_socket(network_namespace), {}, stun::kMinChannel};
    connect_to(flow.socket.get(), server.address);
    flows_.push_back(std::move(flow));
    sessions_.emplace_back(server.credentials, peer, stun::kMinChannel, i);
  }
  open_all();
  for (std::size_t i = 0; i < count; ++i) flows_[i].reached_at = sessions_[i].relayed();
}

TurnClients::~TurnClients() {
  for (std::size_t i = 0; i < sessions_.size(); ++i) {
    sessions_[i].refresh(0);
    send_to_server(flows_[i].socket.get(), sessions_[i].request());
  }
}

void TurnClients::open_all() {
  const io::FileDescriptor poller(epoll_create1(EPOLL_CLOEXEC));
  for (std::size_t i = 0; i < flows_.size(); ++i) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (epoll_ctl(poller.get(), EPOLL_CTL_ADD, flows_[i].socket.get(), &event) != 0)
      throw BenchError("epoll_ctl failed");
  }
  const auto start = Clock::now();
  const milliseconds give_up = kGiveUp + kGiveUpEach * flows_.size();
  auto last_progress = start;
  std::size_t started = 0;
  std::size_t done = 0;
  std::array<epoll_event, 64> events{};
  std::array<std::byte, kAnswerBytes> answer{};
  while (done < flows_.size()) {
    check_interrupt();
    for (; started < flows_.size() && started - done < kWindow; ++started) {
      send_to_server(flows_[started].socket.get(), sessions_[started].request());
    }
    const int ready = epoll_wait(poller.get(), events.data(), static_cast<int>(events.size()), 50);
    const auto now = Clock::now();
    if (now - start > give_up) {
      throw BenchError(fmt::format("{} of {} allocations after {} s", done, flows_.size(), give_up.count() / 1000));
    }
    for (int e = 0; e < ready; ++e) {
      const auto i = static_cast<std::size_t>(events[static_cast<std::size_t>(e)].data.u64);
      const ssize_t bytes = recv(flows_[i].socket.get(), answer.data(), answer.size(), MSG_DONTWAIT);
      if (bytes <= 0 || !sessions_[i].handle(ConstBytes(answer).first(static_cast<std::size_t>(bytes)))) continue;
      last_progress = now;
      if (sessions_[i].state() == TurnSession::State::failed) throw BenchError("TURN: " + sessions_[i].error());
      if (sessions_[i].state() == TurnSession::State::ready) ++done;
      send_to_server(flows_[i].socket.get(), sessions_[i].request());
    }
    if (now - last_progress < kRetry) continue;
    last_progress = now;
    for (std::size_t i = 0; i < started; ++i) send_to_server(flows_[i].socket.get(), sessions_[i].request());
  }
  seconds_ = std::chrono::duration<double>(Clock::now() - start).count();
}

bool answers_stun(const std::string& network_namespace, const Endpoint& server, milliseconds at_most) {
  const io::FileDescriptor socket = client_socket(network_namespace);
  connect_to(socket.get(), server);
  std::array<std::byte, kAnswerBytes> bytes{};
  const auto end = Clock::now() + at_most;
  while (Clock::now() < end) {
    stun::MessageWriter writer(bytes, stun::MessageClass::request, stun::Method::binding, {});
    send_to_server(socket.get(), writer.message());
    pollfd waiting{socket.get(), POLLIN, 0};
    if (poll(&waiting, 1, 50) == 1) {
      const ssize_t got = recv(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (got > 0 && stun::MessageView::parse(ConstBytes(bytes).first(static_cast<std::size_t>(got)))) return true;
    }
    pause_for(milliseconds(20));  // refused while nobody listens: returns at once
  }
  return false;
}

}  // namespace fireline::bench
