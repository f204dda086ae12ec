// UdpSyscalls for the relay's tests: sends take the next errno of a script, receives the next message. What "reached
// the kernel" is kept datagram by datagram as text, and each attempt as a word: "3:EIO" is a send of three refused.
#pragma once
#include <netinet/in.h>
#include <netinet/udp.h>

#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "core/base/wire.h"
#include "io/io_error.h"
#include "io/syscalls.h"

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
  };
  std::deque<Incoming> incoming;
  std::vector<std::size_t> asked;  // messages that each receive call asked for

  ssize_t sendmsg(int, const msghdr& message, int) noexcept override {
    std::string bytes;
    for (std::size_t i = 0; i < message.msg_iovlen; ++i) {
      bytes.append(static_cast<const char*>(message.msg_iov[i].iov_base), message.msg_iov[i].iov_len);
    }
    pieces_max = std::max(pieces_max, static_cast<std::size_t>(message.msg_iovlen));
    std::size_t segment = bytes.size();
    msghdr copy = message;
    for (cmsghdr* header = CMSG_FIRSTHDR(&copy); header != nullptr; header = CMSG_NXTHDR(&copy, header)) {
      if (header->cmsg_level != SOL_UDP || header->cmsg_type != UDP_SEGMENT) continue;
      std::uint16_t value = 0;
      std::memcpy(&value, CMSG_DATA(header), sizeof value);
      segment = value;
    }
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

  ssize_t recvmsg(int, msghdr& message, int) noexcept override {
    if (incoming.empty()) return -EAGAIN;
    const Incoming next = std::move(incoming.front());
    incoming.pop_front();
    if (next.error != 0) return -next.error;
    std::memcpy(message.msg_iov[0].iov_base, next.bytes.data(), next.bytes.size());
    sockaddr_in source{};
    source.sin_family = AF_INET;
    source.sin_port = htons(next.port);
    source.sin_addr.s_addr = htonl(0x7f000001);
    std::memcpy(message.msg_name, &source, sizeof source);
    message.msg_namelen = sizeof source;
    message.msg_flags = next.flags;
    std::size_t used = 0;
    const auto append = [&](int level, int type, auto value) {
      cmsghdr header{};
      header.cmsg_len = CMSG_LEN(sizeof value);
      header.cmsg_level = level;
      header.cmsg_type = type;
      auto* place = static_cast<std::byte*>(message.msg_control) + used;
      std::memcpy(place, &header, sizeof header);
      std::memcpy(place + CMSG_LEN(0), &value, sizeof value);
      used += CMSG_SPACE(sizeof value);
    };
    if (next.gro_bytes != 0) append(SOL_UDP, UDP_GRO, next.gro_bytes);
    if (next.kernel_drops != 0) append(SOL_SOCKET, SO_RXQ_OVFL, next.kernel_drops);
    message.msg_controllen = used;
    return static_cast<ssize_t>(next.bytes.size());
  }

  int recvmmsg(int fd, std::span<mmsghdr> messages, int flags) noexcept override {
    asked.push_back(messages.size());
    return UdpSyscalls::recvmmsg(fd, messages, flags);
  }
};

}  // namespace fireline::relay
