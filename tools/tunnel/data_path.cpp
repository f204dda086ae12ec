#include "tools/tunnel/data_path.h"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "core/stun/channel_data.h"
#include "core/wireguard/messages.h"
#include "io/udp_open.h"
#include "platform/linux/host_error.h"
#include "tools/tunnel/counters.h"

namespace fireline::tunnel {
namespace {

// Beside an IP packet: WireGuard's header and tag, and a channel header where a relay is used.
constexpr std::size_t kDatagramOverheadBytes = wireguard::kTransportOverheadBytes + stun::kChannelHeaderBytes;
// Forwarding may be switched on behind our start, as a gateway's set-up does.
constexpr auto kFitInterval = std::chrono::seconds(10);

using SocketResult = Result<std::unique_ptr<io::UdpPort>, io::IoError>;

// `kept`: the port that the family had until now; 0: none.
SocketResult open_socket(Family family, const TunnelOptions& options, std::uint16_t kept) {
  io::UdpOptions udp{.family = family,
                     .port = kept != 0 ? kept : options.port,
                     .fwmark = options.mark,
                     .path_mtu = io::PathMtu::probe,
                     .lasting_source = true,
                     .receive_buffer_bytes = options.receive_buffer_bytes,
                     .send_buffer_bytes = options.send_buffer_bytes,
                     .loud_queue = true,
                     .io = options.udp_io};
  auto socket = io::open_udp(udp);
  if (socket || udp.port == 0) return socket;
  udp.port = 0;
  return io::open_udp(udp);
}

std::uint16_t port_of(const SocketResult& socket) noexcept {
  return socket ? (*socket)->port() : std::uint16_t{0};
}

}  // namespace

DataPath::DataPath(const TunnelOptions& options, Devices& devices, packet::Engine& engine, io::EventLoop& loop,
                   Handlers handlers, Duration retry_after)
    : options_(options),
      devices_(devices),
      loop_(loop),
      handlers_(std::move(handlers)),
      plane_(engine, *devices.aead, *devices.tun, {&devices.trains, &devices.packets},
             {.mode = options.threads.value_or(io::automatic_thread_mode(io::usable_cpus())),
              .helpers = io::make_helper_aeads(devices.aead->backend(), options.cipher_threads)}),
      sockets_opened_(
          loop, [this] { return open_sockets(); }, retry_after),
      super_packets_(devices.tun->name(), devices.tun->interface_index(), kDatagramOverheadBytes) {
  auto icmp = io::IcmpErrors::open(
      loop, [this](std::span<const Endpoint> destinations) { handlers_.unreachable(destinations); });
  if (icmp) {
    icmp_ = std::move(*icmp);
  } else {
    deaf_ = icmp.error();
  }
  closed_watch_ = loop_.watch(plane_.closed_fd(), EPOLLIN, [this](io::EventLoop::Events) {
    loop_.unwatch(std::exchange(closed_watch_, io::EventLoop::Id::none));
    handlers_.failed("the interface " + devices_.tun->name() + " was removed");
  });
}

DataPath::~DataPath() {
  loop_.unwatch(closed_watch_);
  stop();
}

void DataPath::start() {
  if (deaf_) spdlog::info("ICMP errors are not heard of ({}): a relay that died is noticed later", deaf_.message());
  fit_super_packets();
  plane_.start();
}

void DataPath::stop() {
  loop_.cancel(fit_timer_);
  plane_.stop();
}

bool DataPath::sent_all() {
  bool handed_on = false;
  plane_.run([&](packet::Engine&, Now, packet::Output& output) {
    handed_on = output.udp4.trains.empty() && output.udp6.trains.empty();
  });
  const auto is_sent = [](const io::QueueDepth& queue) {
    return queue.depth == 0 || !queue.item.starts_with("udp") || !queue.item.ends_with("_out");
  };
  return handed_on && std::ranges::all_of(plane_.queue_depths(), is_sent);
}

void DataPath::fit_super_packets() {
  super_packets_.fit(options_.mtu);
  fit_timer_ = loop_.after(kFitInterval, [this] { fit_super_packets(); });
}

std::string DataPath::bind() {
  ports_ = {};
  sockets_opened_.start();
  return unbound_;
}

// True when there is nothing left to try.
bool DataPath::open_sockets() {
  // The family that works is left alone until the other one can have a socket too.
  const bool has_one = ports_.v4 != 0 || ports_.v6 != 0;
  if (has_one && !open_socket(ports_.v4 == 0 ? Family::v4 : Family::v6, options_, 0)) return false;
  // The old sockets go first: their port is wanted again.
  plane_.set_ports(nullptr, nullptr, [this](const io::UdpPort& old) { add_counters(old, retired_); });
  auto v4 = open_socket(Family::v4, options_, ports_.v4);
  auto v6 = open_socket(Family::v6, options_, ports_.v6);
  ports_ = {port_of(v4), port_of(v6)};
  if (icmp_) icmp_->set_ports(ports_.v4, ports_.v6);
  const bool is_short =
      (!v4 && platform::is_shortage(v4.error().code)) || (!v6 && platform::is_shortage(v6.error().code));
  unbound_ = v4 || v6 ? std::string() : v4.error().to_string();
  if (!unbound_.empty()) return false;
  if (is_short && !sockets_opened_.failing()) {
    spdlog::warn("{}; it is tried again", (v4 ? v6 : v4).error().to_string());
  } else if (!is_short && sockets_opened_.failing()) {
    spdlog::info("sockets are bound again");
  }
  // The engine learns the ports before a datagram can come.
  handlers_.bound(ports_);
  plane_.set_ports(v4 ? std::move(*v4) : nullptr, v6 ? std::move(*v6) : nullptr);
  return !is_short;
}

}  // namespace fireline::tunnel
