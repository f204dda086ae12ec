#include "tools/relay/system_calls.h"

#include <linux/bpf.h>
#include <sys/socket.h>

#include <array>

namespace fireline::relay {
namespace {

using platform::AllowedCall;

constexpr AllowedCall any(const char* name) {
  return {.name = name};
}

constexpr AllowedCall with_first(const char* name, std::uint64_t value) {
  return {.name = name, .argument = 0, .mask = 0xFFFF'FFFF, .value = value};
}

// The BPF commands stand last, so that the list without a fast path is the front of it.
constexpr std::size_t kBpfCommands = 3;
constexpr std::array kCalls{
    // sockets of allocations; netlink for routes and addresses; AF_UNIX is how libraries ask for interface names
    with_first("socket", AF_INET),
    with_first("socket", AF_INET6),
    with_first("socket", AF_NETLINK),
    with_first("socket", AF_UNIX),
    any("bind"),
    any("getsockname"),
    any("setsockopt"),
    any("getsockopt"),
    // connections of both HTTP listeners
    any("accept4"),
    any("accept"),
    any("shutdown"),
    // datagrams
    any("recvmsg"),
    any("recvmmsg"),
    any("recvfrom"),
    any("sendmsg"),
    any("sendmmsg"),
    any("sendto"),
    with_first("bpf", BPF_MAP_LOOKUP_ELEM),
    with_first("bpf", BPF_MAP_UPDATE_ELEM),
    with_first("bpf", BPF_MAP_DELETE_ELEM),
};

}  // namespace

std::span<const AllowedCall> relay_calls(bool fast_path) noexcept {
  const std::span<const AllowedCall> all(kCalls);
  return fast_path ? all : all.first(all.size() - kBpfCommands);
}

}  // namespace fireline::relay
