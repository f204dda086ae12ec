// System calls by what they serve, for the lists of programs (platform/linux/seccomp.h), beside
// platform::common_calls(). docs/privileges.md. Values; any thread.
#pragma once
#include <initializer_list>
#include <span>
#include <vector>

#include "platform/linux/seccomp.h"

namespace fireline {

// Sending on sockets, not with MSG_FASTOPEN: that opens a TCP connection without connect().
[[nodiscard]] std::span<const platform::AllowedCall> sending_calls() noexcept;

// Connections of Asio and OpenSSL, of HTTP listeners and status sockets, and those that io::Resolver asks through;
// beside sending_calls().
[[nodiscard]] std::span<const platform::AllowedCall> connection_calls() noexcept;

// Of a program with a TUN device and a status socket: an interface's index by its name and back, and the removal of the
// socket's file at the end.
[[nodiscard]] std::span<const platform::AllowedCall> device_calls() noexcept;

// A thread that starts behind the filter, as io::Resolver's does for getaddrinfo: a thread of this process, in the
// namespaces of this process, and no other process.
[[nodiscard]] std::span<const platform::AllowedCall> thread_calls() noexcept;

// io_uring, for the programs whose sockets use it (io/udp_open.h), and for them only where it was chosen: what a ring
// is asked to do, no filter sees.
[[nodiscard]] std::span<const platform::AllowedCall> io_uring_calls() noexcept;

[[nodiscard]] std::vector<platform::AllowedCall> join_calls(
    std::initializer_list<std::span<const platform::AllowedCall>> lists);

}  // namespace fireline
