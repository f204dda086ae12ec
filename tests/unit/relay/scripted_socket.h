// UdpSyscalls for the relay's tests: sends take the next errno of a script, receives the next message. What "reached
// the kernel" is kept datagram by datagram as text, and each attempt as a word: "3:EIO" is a send of three refused.
#pragma once
#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "core/base/wire.h"
#include "io/io_error.h"
#include "io/syscalls.h"
#include "tests/unit/io/scripted_message.h"

namespace fireline::relay {

class ScriptedSocket final : public io::UdpSyscalls {
 public:
  std::deque<int> send_script;  // 0 for success, else an errno; success when it has run out
  std::vector<std::string> reached;
  std::string attempts;
  std::size_t pieces_max = 0;  // longest gather vector seen

  struct Incoming {
    int error = 0;
    std::string bytes{};
    int gro_bytes = 0;  // 0: no control message
    int flags = 0;
    std::uint16_t port = 4711;
    std::uint32_t kernel_drops = 0;

    [[nodiscard]] sockaddr_in source() const { return io::loopback_source(AF_INET, port); }
  };
  std::deque<Incoming> incoming;
  std::vector<std::size_t> asked;  // messages that each receive call asked for

  ssize_t sendmsg(int, const msghdr& message, int) noexcept override {
    std::string bytes;
    for (std::size_t i = 0; i < message.msg_iovlen; ++i) {
      bytes.append(static_cast<const char*>(message.msg_iov[i].iov_base), message.msg_iov[i].iov_len);
    }
    pieces_max = std::max(pieces_max, static_cast<std::size_t>(message.msg_iovlen));
    const std::size_t segment = io::segment_bytes_of(message).value_or(bytes.size());
    const std::size_t count = bytes.empty() ? 1 : (bytes.size() + segment - 1) / segment;
    int code = 0;
    if (!send_script.empty()) {
      code = send_script.front();
      send_script.pop_front();
    }
    attempts += (attempts.empty() ? "" : " ") + std::to_string(count) + ":" + (code == 0 ? "ok" : io::errno_name(code));
    if (code != 0) return -code;
    for (std::size_t i = 0; i < count; ++i) reached.push_back(bytes.substr(i * segment, segment));
    return static_cast<ssize_t>(bytes.size());
  }

  ssize_t recvmsg(int, msghdr& message, int) noexcept override { return io::receive_next(incoming, message); }

  int recvmmsg(int fd, std::span<mmsghdr> messages, int flags) noexcept override {
    asked.push_back(messages.size());
    return UdpSyscalls::recvmmsg(fd, messages, flags);
  }
};

}  // namespace fireline::relay
