// The ways to move datagrams that `fireline-bench udp` compares. Each object sends from one socket to another and
// receives there; all of them on one thread.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace fireline::bench {

class UdpMethod {
 public:
  virtual ~UdpMethod() = default;
  [[nodiscard]] virtual const char* send_name() const noexcept = 0;
  [[nodiscard]] virtual const char* receive_name() const noexcept = 0;
  // Hands `datagrams` to the kernel; throws BenchError when it refuses.
  virtual void send(std::size_t datagrams) = 0;
  // Takes what waits, and says how many datagrams that were; 0: nothing waits.
  [[nodiscard]] virtual std::size_t receive() = 0;
  // Of the receiving socket.
  [[nodiscard]] virtual int poll_fd() const noexcept = 0;
};

inline constexpr std::size_t kCallDatagrams = 32;  // of one sendmmsg or recvmmsg
// Of one train: as many as the kernel takes.
[[nodiscard]] std::size_t train_datagrams(std::size_t datagram_bytes) noexcept;

// All of them, each with sockets of its own: receiver opened in namespace `b`, sender in `a`. Throws BenchError.
[[nodiscard]] std::vector<std::unique_ptr<UdpMethod>> make_udp_methods(const std::string& a, const std::string& b,
                                                                       std::size_t datagram_bytes);

}  // namespace fireline::bench
