// UdpSyscalls for tests: each call takes the next line of a script, or succeeds when there is none left. What "reached
// the kernel" is kept datagram by datagram, and each attempt as a word: "3:EIO" is a send of three datagrams refused.
#pragma once
#include <netinet/in.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "core/base/wire.h"
#include "io/io_error.h"
#include "io/syscalls.h"
#include "tests/unit/io/scripted_message.h"

namespace fireline::io {

class ScriptedSyscalls final : public UdpSyscalls {
 public:
  // Results of the next sends: 0 for success, else an errno.
  std::deque<int> send_script;
  // Asked when the script has run out: 0 or an errno.
  std::function<int(std::size_t segments, bool has_local, const msghdr& message)> send_rule;

  std::vector<std::uint32_t> reached;  // the first four bytes of each datagram, in order
  std::string attempts;                // "4+:EINVAL 4:ok", + with a source address

  // One per receive.
  struct Incoming {
    int error = 0;
    std::vector<std::byte> bytes{};
    int gro_bytes = 0;  // 0: no control message
    int flags = 0;
    bool foreign_source = false;
    std::uint32_t kernel_drops = 0;

    [[nodiscard]] sockaddr_in source() const { return loopback_source(foreign_source ? AF_INET6 : AF_INET, 4711); }
  };
  std::deque<Incoming> incoming;

  ssize_t sendmsg(int, const msghdr& message, int) noexcept override {
    const ConstBytes bytes(static_cast<const std::byte*>(message.msg_iov[0].iov_base), message.msg_iov[0].iov_len);
    const std::size_t segment_bytes = segment_bytes_of(message).value_or(bytes.size());
    bool has_local = false;
    msghdr copy = message;
    for (cmsghdr* header = CMSG_FIRSTHDR(&copy); header != nullptr; header = CMSG_NXTHDR(&copy, header)) {
      if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) has_local = true;
    }
    const std::size_t segments = (bytes.size() + segment_bytes - 1) / segment_bytes;
    int code = 0;
    if (!send_script.empty()) {
      code = send_script.front();
      send_script.pop_front();
    } else if (send_rule) {
      code = send_rule(segments, has_local, message);
    }
    if (!attempts.empty()) attempts += ' ';
    attempts += std::to_string(segments) + (has_local ? "+" : "") + ":" + (code == 0 ? "ok" : errno_name(code));
    if (code != 0) return -code;
    for (std::size_t at = 0; at < bytes.size(); at += segment_bytes) reached.push_back(load_le32(bytes, at));
    return static_cast<ssize_t>(bytes.size());
  }

  ssize_t recvmsg(int, msghdr& message, int) noexcept override { return receive_next(incoming, message); }
};

}  // namespace fireline::io
