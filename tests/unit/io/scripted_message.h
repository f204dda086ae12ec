// One UDP message as the kernel lays it out in a msghdr, for tests that stand in for system calls.
#pragma once
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <span>
#include <utility>

namespace fireline::io {

// Of a message to be sent as a train; empty: it goes as one datagram.
inline std::optional<std::size_t> segment_bytes_of(const msghdr& message) {
  msghdr copy = message;
  for (cmsghdr* header = CMSG_FIRSTHDR(&copy); header != nullptr; header = CMSG_NXTHDR(&copy, header)) {
    if (header->cmsg_level != SOL_UDP || header->cmsg_type != UDP_SEGMENT) continue;
    std::uint16_t value = 0;
    std::memcpy(&value, CMSG_DATA(header), sizeof value);
    return value;
  }
  return std::nullopt;
}

inline sockaddr_in loopback_source(sa_family_t family, std::uint16_t port) {
  sockaddr_in source{};
  source.sin_family = family;
  source.sin_port = htons(port);
  source.sin_addr.s_addr = htonl(0x7f000001);
  return source;
}

// Takes the next of `incoming`: its error, or its bytes, source(), flags and control messages (gro_bytes and
// kernel_drops unless 0). What recvmsg returns, errors as -errno; -EAGAIN when there is none left.
template <typename Incoming>
ssize_t receive_next(std::deque<Incoming>& incoming, msghdr& message) {
  if (incoming.empty()) return -EAGAIN;
  const Incoming next = std::move(incoming.front());
  incoming.pop_front();
  if (next.error != 0) return -next.error;
  std::ranges::copy(std::as_bytes(std::span(next.bytes)), static_cast<std::byte*>(message.msg_iov[0].iov_base));
  const sockaddr_in source = next.source();
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

}  // namespace fireline::io
