#include "io/udp_open.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "io/udp_ring_socket.h"
#include "io/udp_socket.h"

namespace fireline::io {
namespace {

// How often a free port of one family may turn out to be taken in the other.
constexpr unsigned kPairAttempts = 16;

// Sockets are opened again and again (roaming); what the process may not do stays so.
std::atomic_flag refusal_was_logged = ATOMIC_FLAG_INIT;

void log_refusal(const IoError& error) {
  if (refusal_was_logged.test_and_set()) return;
  spdlog::info("{}; sockets use plain system calls", error.to_string());
}

}  // namespace

Result<std::unique_ptr<UdpPort>, IoError> open_udp(const UdpOptions& options) {
  auto bound = bind_udp(options);
  if (!bound.has_value()) return err(std::move(bound.error()));
  if (chosen(options.io) == UdpIo::io_uring) {
    auto socket = UdpRingSocket::open(*bound);
    if (socket.has_value()) return std::move(*socket);
    log_refusal(socket.error());
  }
  return std::make_unique<UdpSocket>(std::move(*bound));
}

Result<UdpPortPair, IoError> open_udp_pair(const UdpOptions& options) {
  for (unsigned attempt = 1;; ++attempt) {
    UdpOptions v4 = options;
    v4.family = Family::v4;
    UdpOptions v6 = options;
    v6.family = Family::v6;
    auto first = open_udp(v4);
    if (first.has_value())
      v6.port = (*first)->port();
    else if (first.error().code != EAFNOSUPPORT)
      return err(std::move(first.error()));

    auto second = open_udp(v6);
    if (!second.has_value()) {
      const int code = second.error().code;
      if (code == EADDRINUSE && options.port == 0 && attempt < kPairAttempts) continue;
      // EADDRNOTAVAIL: IPv6 is switched off by sysctl, so that no address of it may be bound.
      const bool no_v6 = code == EAFNOSUPPORT || code == EADDRNOTAVAIL;
      if (!no_v6 || !first.has_value()) return err(std::move(second.error()));
    }
    UdpPortPair pair;
    if (first.has_value()) pair.v4 = std::move(*first);
    if (second.has_value()) pair.v6 = std::move(*second);
    return pair;
  }
}

}  // namespace fireline::io
