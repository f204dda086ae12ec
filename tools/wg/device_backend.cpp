#include "tools/wg/device_backend.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "core/crypto/random.h"
#include "core/wireguard/allowed_ips.h"
#include "core/wireguard/constants.h"
#include "core/wireguard/device.h"
#include "core/wireguard/messages.h"
#include "io/data_plane.h"
#include "io/huge_memory.h"
#include "io/limits.h"
#include "io/loop_thread.h"
#include "io/tun_device.h"
#include "io/udp_open.h"
#include "tools/common/super_packet_limit.h"
#include "tools/wg/device_log.h"
#include "tools/wg/device_report.h"
#include "tools/wg/source_watch.h"

namespace fireline::wg {
namespace {

using namespace std::chrono_literals;

// How often events of the device reach the log, and gauges are read.
constexpr auto kSampleInterval = 1s;

// A monotonic time for the AEAD's self-measurement.
std::uint64_t elapsed_nanoseconds() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

packet::CoalescerOptions merging_allowed_by(const io::TunCapabilities& tun) {
  return {.tcp4 = tun.tso, .tcp6 = tun.tso, .udp = tun.uso};
}

class DeviceBackend final : public WgBackend {
 public:
  DeviceBackend(const Options& options, io::EventLoop& loop, std::unique_ptr<io::TunDevice> tun,
                std::unique_ptr<crypto::Aead> aead, io::ThreadMode mode, std::move_only_function<void()> removed)
      : loop_(loop),
        tun_(std::move(tun)),
        aead_(std::move(aead)),
        device_({.profile = wireguard::kPaperProfile,
                 .mtu = options.mtu,
                 .tun_offloads = merging_allowed_by(tun_->capabilities()),
                 .memory = io::huge_memory()},
                io::read_clocks(), trains_, packets_, random_, *aead_),
        plane_(device_, *aead_, *tun_, {&trains_, &packets_},
               {.mode = mode, .helpers = io::make_helper_aeads(aead_->backend(), options.cipher_threads)}),
        udp_io_(options.udp_io),
        mtu_(options.mtu),
        started_(loop.now().boot),
        removed_(std::move(removed)) {
    plane_.start();
    follow_routes();
    closed_watch_ = loop_.watch(plane_.closed_fd(), EPOLLIN, [this](io::EventLoop::Events) {
      loop_.unwatch(std::exchange(closed_watch_, io::EventLoop::Id::none));
      removed_();
    });
    sample();
  }

  ~DeviceBackend() override {
    loop_.unwatch(closed_watch_);
    loop_.cancel(sample_timer_);
    plane_.stop();
  }

  std::optional<UapiError> apply(const wireguard::DeviceUpdate& update) override {
    if (auto error = apply_to_sockets(update)) return error;
    bool complete = true;
    plane_.run(
        [&](packet::Engine&, Now now, packet::Output& output) { complete = device_.apply(now, update, output); });
    if (complete) return std::nullopt;
    return UapiError{ENOMEM,
                     fmt::format("the device has room for {} peers and {} allowed IPs: what is beyond was left out",
                                 wireguard::kPeersMax, wireguard::kAllowedIpsMax)};
  }

  InterfaceStatus status() override {
    InterfaceStatus status{.device = {}, .listen_port = port_, .fwmark = fwmark_};
    plane_.run([&](packet::Engine&, Now, packet::Output&) { status.device = device_.status(); });
    return status;
  }

  StatusReport report() override {
    ReportSources sources{.status = status(),
                          .gauges = {},
                          .device = device_,
                          .plane = plane_,
                          .tun = *tun_,
                          .aead = *aead_,
                          .retired_sockets = retired_,
                          .now = loop_.now(),
                          .started = started_,
                          .up = up_,
                          .mtu = mtu_};
    plane_.run([&](packet::Engine&, Now, packet::Output&) { sources.gauges = device_.gauges(); });
    return make_report(sources);
  }

  void link_up() override {
    if (std::exchange(up_, true)) return;
    if (auto error = bind(port_, fwmark_)) {
      spdlog::error("{}: {}; packets are dropped until another listen port is set", tun_->name(), error->sentence);
    }
    set_device_up(true);
    super_packets_.fit(mtu_);
    spdlog::info("{}: up, listening on port {}", tun_->name(), port_);
  }

  void link_down() override {
    if (!std::exchange(up_, false)) return;
    set_device_up(false);
    replace_sockets({});
    spdlog::info("{}: down", tun_->name());
  }

  void mtu_changed(std::uint16_t mtu) override {
    mtu_ = mtu;
    plane_.run([&](packet::Engine&, Now, packet::Output&) { device_.set_mtu(mtu); });
    super_packets_.fit(mtu_);
    spdlog::info("{}: MTU {}", tun_->name(), mtu);
  }

  const std::string& interface_name() const override { return tun_->name(); }

 private:
  // Sockets first, for they can fail: then nothing was changed.
  std::optional<UapiError> apply_to_sockets(const wireguard::DeviceUpdate& update) {
    const auto port = update.listen_port.value_or(port_);
    const auto fwmark = update.fwmark.value_or(fwmark_);
    const bool new_port = update.listen_port && (port != port_ || port == 0 || !bound());
    if (!new_port && fwmark == fwmark_) return std::nullopt;
    if (!up_) {
      // Bound when the interface comes up; whether a new port will be had is worth knowing today.
      if (new_port) {
        auto probe = io::open_udp_pair({.port = port, .fwmark = fwmark, .io = udp_io_});
        if (!probe) return UapiError{probe.error().code, probe.error().to_string()};
      }
      port_ = port;
      fwmark_ = fwmark;
      return std::nullopt;
    }
    if (new_port) return bind(port, fwmark);
    for (const auto family : {Family::v4, Family::v6}) {
      io::UdpPort* socket = plane_.port(family);
      if (socket == nullptr) continue;
      if (auto error = socket->set_fwmark(fwmark)) return UapiError{error->code, error->to_string()};
    }
    fwmark_ = fwmark;
    forget_local_addresses();  // another mark, another route: the source that answers left from may be wrong there
    return std::nullopt;
  }

  // Opens new sockets, then lets go of the old ones: after an error the old ones go on.
  std::optional<UapiError> bind(std::uint16_t port, std::uint32_t fwmark) {
    auto sockets = io::open_udp_pair({.port = port, .fwmark = fwmark, .loud_queue = true, .io = udp_io_});
    if (!sockets) return UapiError{sockets.error().code, sockets.error().to_string()};
    port_ = sockets->v4 ? sockets->v4->port() : sockets->v6->port();
    fwmark_ = fwmark;
    replace_sockets(std::move(*sockets));
    forget_local_addresses();
    return std::nullopt;
  }

  void forget_local_addresses() {
    plane_.run([&](packet::Engine&, Now, packet::Output&) { device_.forget_local_addresses(); });
  }

  void follow_routes() {
    auto watch = SourceWatch::start(loop_, [this] { forget_moved_sources(); });
    if (watch) {
      sources_ = std::move(*watch);
    } else {
      spdlog::warn("{}: {}; answers leave from where the peer sent to, whatever the routes", tun_->name(),
                   watch.error());
    }
  }

  void forget_moved_sources() {
    std::vector<wireguard::StickySource> sources;
    plane_.run([&](packet::Engine&, Now, packet::Output&) { sources = device_.sticky_sources(); });
    const auto moved = sources_->moved(sources, fwmark_);
    if (moved.empty()) return;
    plane_.run([&](packet::Engine&, Now, packet::Output&) { device_.forget_local_addresses(moved); });
    spdlog::info("{}: packets to {} peer{} leave by another interface now", tun_->name(), moved.size(),
                 moved.size() == 1 ? "" : "s");
  }

  void replace_sockets(io::UdpPortPair sockets) {
    plane_.set_ports(std::move(sockets.v4), std::move(sockets.v6),
                     [this](const io::UdpPort& old) { retired_.add(old); });
  }

  [[nodiscard]] bool bound() { return plane_.port(Family::v4) != nullptr || plane_.port(Family::v6) != nullptr; }

  void set_device_up(bool up) {
    plane_.run([&](packet::Engine&, Now now, packet::Output& output) { device_.set_up(now, up, output); });
  }

  void sample() {
    super_packets_.fit(mtu_);
    std::vector<wireguard::DeviceEvent> events;
    plane_.run([&](packet::Engine&, Now, packet::Output&) {
      while (auto event = device_.poll_event()) events.push_back(*event);
    });
    for (const auto& event : events) log_event(tun_->name(), event);
    sample_timer_ = loop_.after(kSampleInterval, [this] { sample(); });
  }

  io::EventLoop& loop_;
  crypto::SystemRandom random_;
  io::BufferPool trains_{"train", packet::kLargeBufferBytes, io::kTrainPoolBytes};
  io::BufferPool packets_{"packet", packet::kSmallBufferBytes, io::kPacketPoolBytes};
  std::unique_ptr<io::TunDevice> tun_;
  std::unique_ptr<crypto::Aead> aead_;
  wireguard::Device device_;
  io::DataPlane plane_;
  RetiredSockets retired_;
  std::unique_ptr<SourceWatch> sources_;
  io::UdpIo udp_io_;
  std::uint16_t mtu_;
  Instant started_;
  std::move_only_function<void()> removed_;
  io::EventLoop::Id closed_watch_ = io::EventLoop::Id::none;
  io::EventLoop::Id sample_timer_ = io::EventLoop::Id::none;
  std::uint16_t port_ = 0;
  std::uint32_t fwmark_ = 0;
  bool up_ = false;
  SuperPacketLimit super_packets_{tun_->name(), tun_->interface_index(), wireguard::kTransportOverheadBytes};
};

std::unique_ptr<crypto::Aead> make_wanted_aead(const Options& options) {
  return crypto::make_aead(options.aead.value_or(crypto::fastest_aead_backend(elapsed_nanoseconds)));
}

}  // namespace

Result<std::unique_ptr<WgBackend>, std::string> make_device_backend(const Options& options, io::EventLoop& loop,
                                                                    std::move_only_function<void()> removed) {
  auto aead = make_wanted_aead(options);
  if (!aead)
    return err("the AEAD backend " + std::string(crypto::name_of(*options.aead)) +
               " is not available on this CPU: choose another with --aead, or auto");
  auto tun = io::TunDevice::open(options.interface_name, {.mtu = options.mtu});
  if (!tun) return err(tun.error().to_string());
  const auto mode = options.threads.value_or(io::automatic_thread_mode(io::usable_cpus()));
  return std::make_unique<DeviceBackend>(options, loop, std::move(*tun), std::move(aead), mode, std::move(removed));
}

}  // namespace fireline::wg
