#include "tools/relay/system_calls.h"

#include <linux/bpf.h>
#include <sys/socket.h>

#include <array>
#include <span>

#include "tools/common/system_calls.h"

namespace fireline::relay {
namespace {

using platform::AllowedCall;

constexpr AllowedCall any(const char* name) {
  return {.name = name};
}

constexpr AllowedCall with_first(const char* name, std::uint64_t value) {
  return {.name = name, .argument = 0, .mask = 0xFFFF'FFFF, .value = value};
}

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
    // datagrams, beside sending_calls()
    any("recvmsg"),
    any("recvmmsg"),
    any("recvfrom"),
};

constexpr std::array kMaps{with_first("bpf", BPF_MAP_LOOKUP_ELEM), with_first("bpf", BPF_MAP_UPDATE_ELEM),
                           with_first("bpf", BPF_MAP_DELETE_ELEM)};

}  // namespace

std::vector<AllowedCall> relay_calls(bool fast_path, bool portal) {
  using List = std::span<const AllowedCall>;
  return join_calls({kCalls, sending_calls(), fast_path ? List(kMaps) : List(), portal ? connection_calls() : List(),
                     portal ? thread_calls() : List()});
}

}  // namespace fireline::relay
