// Many TURN allocations with one channel each to the same peer, opened side by side, each from a socket of its own;
// or plain sockets in their place where the kernel forwards. One thread.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "io/file_descriptor.h"
#include "tools/bench/turn_session.h"

namespace fireline::bench {

// A flow between client and peer. The client's socket is connected to where it sends: server, or the peer itself.
struct Flow {
  io::FileDescriptor socket;
  Endpoint reached_at;        // where the peer sends for this client
  std::uint16_t channel = 0;  // 0: no header, the kernel forwards
};

struct TurnServer {
  Endpoint address;
  TurnCredentials credentials;
};

class TurnClients {
 public:
  // Opens `count` allocations and binds a channel in each. Throws BenchError.
  TurnClients(const std::string& network_namespace, const TurnServer& server, const Endpoint& peer, std::size_t count);
  // Ends them by Refresh with lifetime 0; answers are not awaited.
  ~TurnClients();
  TurnClients(const TurnClients&) = delete;
  TurnClients& operator=(const TurnClients&) = delete;

  [[nodiscard]] const std::vector<Flow>& flows() const noexcept { return flows_; }
  // From the first request to the last answer.
  [[nodiscard]] double seconds() const noexcept { return seconds_; }

 private:
  void open_all();

  std::vector<Flow> flows_;
  std::vector<TurnSession> sessions_;
  double seconds_ = 0;
};

// Sockets of clients connected to the peer, for forwarding in place of a relay.
[[nodiscard]] std::vector<Flow> plain_flows(const std::string& network_namespace, const Endpoint& peer,
                                            std::size_t count);

// A UDP socket of the benchmark: bound to `local`, large buffer, GRO. Throws BenchError.
[[nodiscard]] io::FileDescriptor bench_socket(const std::string& network_namespace, const Endpoint& local);
[[nodiscard]] Endpoint local_endpoint(int socket);

// True when a STUN Binding request to the server is answered within `at_most`.
[[nodiscard]] bool answers_stun(const std::string& network_namespace, const Endpoint& server,
                                std::chrono::milliseconds at_most);

}  // namespace fireline::bench
