#include "io/icmp_errors.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "core/packet/icmp_quote.h"

namespace fireline::io {
namespace {

// An IPv4 header with options, and as much of an error as names the datagram.
constexpr std::size_t kMessageBytes = 256;

// Only "destination unreachable" passes: pings and the rest stay in the kernel.
FileDescriptor open_socket(Family family) {
  const bool v4 = family == Family::v4;
  FileDescriptor socket(
      ::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6));
  if (!socket) return socket;
  int refused = 0;
  if (v4) {
    icmp_filter filter{.data = ~(1U << ICMP_DEST_UNREACH)};
    refused = setsockopt(socket.get(), SOL_RAW, ICMP_FILTER, &filter, sizeof filter);
  } else {
    icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_DST_UNREACH, &filter);
    refused = setsockopt(socket.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
  }
  if (refused != 0) socket.reset();
  return socket;
}

// Raw IPv4 sockets give the IP header too.
ConstBytes without_ip_header(Family family, ConstBytes datagram) noexcept {
  if (family == Family::v6) return datagram;
  if (datagram.empty()) return {};
  const std::size_t header_bytes = std::size_t{load_u8(datagram, 0)} % 16 * 4;
  return datagram.size() < header_bytes ? ConstBytes() : datagram.subspan(header_bytes);
}

}  // namespace

Result<std::unique_ptr<IcmpErrors>, std::error_code> IcmpErrors::open(EventLoop& loop, Handler handler) {
  std::unique_ptr<IcmpErrors> errors(new IcmpErrors(loop, std::move(handler)));
  std::error_code first;
  for (const auto family : {Family::v4, Family::v6}) {
    Side& side = errors->sides_[static_cast<std::size_t>(family)];
    side.socket = open_socket(family);
    if (!side.socket) {
      if (!first) first = {errno, std::system_category()};
      continue;
    }
    side.watch = loop.watch(side.socket.get(), EPOLLIN,
                            [self = errors.get(), family](EventLoop::Events) { self->receive(family); });
    if (side.watch == EventLoop::Id::none) return err(std::make_error_code(std::errc::no_buffer_space));
  }
  if (!errors->sides_[0].socket && !errors->sides_[1].socket) return err(first);
  return errors;
}

IcmpErrors::~IcmpErrors() {
  for (const Side& side : sides_) loop_.unwatch(side.watch);
}

void IcmpErrors::receive(Family family) {
  unreachable_.clear();
  read(family);
  if (!unreachable_.empty()) handler_(unreachable_);
}

void IcmpErrors::read(Family family) {
  const auto index = static_cast<std::size_t>(family);
  std::array<std::byte, kMessageBytes> buffer;
  for (int i = 0; i < kIcmpPerTurn; ++i) {
    const auto bytes = ::recv(sides_[index].socket.get(), buffer.data(), buffer.size(), 0);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) return;
    const auto datagram = ConstBytes(buffer).first(static_cast<std::size_t>(bytes));
    const auto found = packet::parse_unreachable(family, without_ip_header(family, datagram));
    if (!found || found->source.port != ports_[index] || ports_[index] == 0) continue;
    if (std::ranges::find(unreachable_, found->destination) == unreachable_.end()) {
      unreachable_.push_back(found->destination);
    }
  }
}

}  // namespace fireline::io
