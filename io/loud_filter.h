// Sorts a socket's datagrams into two queues, in the kernel: those of named senders' transport data into the second
// one, everything else into the first. Two sockets share the port (SO_REUSEPORT), and a classic BPF program chooses
// between them (SO_ATTACH_REUSEPORT_CBPF, Linux 4.5). No privilege is needed, IPv4 and IPv6 alike, and a full queue of
// the one costs the other nothing.
//
// The program sees the UDP payload, and the IP header at SKF_NET_OFF. What it cannot read goes to the first queue.
//
// No state; any thread.
#pragma once
#include <linux/filter.h>

#include <optional>
#include <span>
#include <vector>

#include "core/base/endpoint.h"
#include "core/packet/sender.h"
#include "io/io_error.h"

namespace fireline::io {

inline constexpr std::uint32_t kFirstQueue = 0;  // by the order in which the sockets were bound
inline constexpr std::uint32_t kLoudQueue = 1;

// The program's answer is one of the two above. Senders of the other family match nothing.
[[nodiscard]] std::vector<sock_filter> make_loud_filter(Family family, std::span<const packet::Sender> loud);

// Replaces the program of the sockets that share `socket`'s port. Errors: ENOMEM; EINVAL when it shares it with none.
[[nodiscard]] std::optional<IoError> attach_loud_filter(int socket, Family family,
                                                        std::span<const packet::Sender> loud);

}  // namespace fireline::io
