#include "relay/relay_loop.h"

#include <spdlog/spdlog.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "io/loop_thread.h"

namespace fireline::relay {
namespace {

constexpr std::uint64_t kControlToken = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kTimerToken = kControlToken - 1;
constexpr std::size_t kPorts = 65536;
constexpr int kEventsPerCall = 256;  // more wait for the next call, which comes at once
constexpr int kBusyMilliseconds = 1;
constexpr std::byte kStunMax{0x03};  // first byte of a STUN message, RFC 8489 section 5

int milliseconds_up(Duration wait) noexcept {
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(std::max(wait, Duration::zero())).count();
  return static_cast<int>(std::min<std::int64_t>(whole, std::numeric_limits<int>::max()));
}

// Somebody has the port, or it is reserved. With any other errno no port could be bound.
bool is_of_the_port(int code) noexcept {
  return code == EADDRINUSE || code == EACCES;
}

bool is_of_the_limit(int code) noexcept {
  return code == EMFILE || code == ENFILE;
}

// Of the control port, which one flag names.
io::IoError with_fix(io::IoError error) {
  if (error.code == EADDRINUSE) error.fix = "choose another --listen-port or stop the program that holds this one";
  if (error.code == EACCES) error.fix = "run as root, grant CAP_NET_BIND_SERVICE, or choose a --listen-port over 1023";
  return error;
}

bool watch(int epoll, int fd, std::uint32_t events, std::uint64_t token, int operation = EPOLL_CTL_ADD) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  return ::epoll_ctl(epoll, operation, fd, &event) == 0;
}

}  // namespace

RelayLoop::RelayLoop(const LoopOptions& options, io::EventLoop& control, io::UdpSyscalls& syscalls,
                     io::FileDescriptor epoll, io::FileDescriptor timer)
    : options_(options),
      control_(control),
      syscalls_(syscalls),
      epoll_(std::move(epoll)),
      timer_(std::move(timer)),
      now_(io::read_clocks()),
      listen_port_(options.listen_port),
      ports_(kPorts),
      sender_(counters_, syscalls, options.gso) {}

RelayLoop::~RelayLoop() = default;

Result<std::unique_ptr<RelayLoop>, io::IoError> RelayLoop::make(const LoopOptions& options, io::EventLoop& control,
                                                                io::UdpSyscalls& syscalls) {
  io::FileDescriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return err(io::last_error("make an epoll instance", "the relay"));
  io::FileDescriptor timer(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!timer) return err(io::last_error("make a timer", "the relay"));
  std::unique_ptr<RelayLoop> loop(new RelayLoop(options, control, syscalls, std::move(epoll), std::move(timer)));
  if (!watch(loop->epoll_.get(), loop->timer_.get(), EPOLLIN, kTimerToken) ||
      !watch(loop->epoll_.get(), control.fd(), EPOLLIN, kControlToken)) {
    return err(io::last_error("watch a descriptor", "the relay"));
  }
  for (const Family family : {Family::v4, Family::v6}) {
    if (!options.families.has(family)) continue;
    const bool v4 = family == Family::v4;
    auto socket = RelaySocket::open({.family = family,
                                     .port = loop->listen_port_,
                                     .address = v4 ? options.bind_ip4 : options.bind_ip6,
                                     .is_control = true,
                                     .gro = options.gro});
    if (!socket.has_value()) return err(with_fix(std::move(socket.error())));
    loop->listen_port_ = (*socket)->port();
    RelaySocket* const added = loop->add(std::move(*socket));
    if (added == nullptr) return err(io::last_error("watch the control socket of", "the relay"));
    (v4 ? loop->control_v4_ : loop->control_v6_) = added;
  }
  return loop;
}

void RelayLoop::run() {
  stopping_ = false;
  control_.turn(Duration::zero());
  while (!stopping_) turn(std::nullopt);
}

void RelayLoop::turn(std::optional<Duration> wait) {
  int milliseconds = wait.has_value() ? milliseconds_up(*wait) : -1;
  if (!busy_.empty() && (milliseconds < 0 || milliseconds > kBusyMilliseconds)) milliseconds = kBusyMilliseconds;
  if (!ready_.empty() || control_ready_) milliseconds = 0;
  if (milliseconds != 0) arm_timer();
  collect_events(milliseconds);
  now_ = io::read_clocks();
  retry_busy();
  if (std::exchange(control_ready_, false)) control_.turn(Duration::zero());
  if (stopping_) return;
  // Before the datagrams: what has expired by now is not forwarded.
  fire_timers();
  relay_some();
}

// ---- readiness, timers ----

void RelayLoop::collect_events(int wait_milliseconds) {
  std::array<epoll_event, kEventsPerCall> events;
  // Interrupted or failing, it is called again in the next turn: signals have their own descriptor.
  int count = ::epoll_wait(epoll_.get(), events.data(), kEventsPerCall, wait_milliseconds);
  while (count > 0) {
    for (int i = 0; i < count; ++i) {
      // By value: epoll_event is packed, its members are not aligned.
      const std::uint64_t token = events[static_cast<std::size_t>(i)].data.u64;
      const std::uint32_t reported = events[static_cast<std::size_t>(i)].events;
      on_event(token, reported);
    }
    if (count < kEventsPerCall || control_ready_) return;
    count = ::epoll_wait(epoll_.get(), events.data(), kEventsPerCall, 0);
  }
}

void RelayLoop::on_event(std::uint64_t token, std::uint32_t events) {
  if (token == kControlToken) {
    control_ready_ = true;
    return;
  }
  if (token == kTimerToken) {
    std::uint64_t expirations = 0;
    [[maybe_unused]] const auto bytes = ::read(timer_.get(), &expirations, sizeof(expirations));
    armed_.reset();
    return;
  }
  const auto slot = static_cast<Slot>(token);
  if (slot >= sockets_.size() || !sockets_[slot]) return;
  RelaySocket& socket = *sockets_[slot];
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) ready_.insert(slot);
  if ((events & EPOLLOUT) != 0 && socket.waiting) follow(socket, sender_.flush(socket, now_.boot));
}

void RelayLoop::retry_busy() {
  if (busy_.empty()) return;
  const std::vector<Slot> slots = std::exchange(busy_, {});
  for (const Slot slot : slots) {
    if (!sockets_[slot] || !sockets_[slot]->waiting) continue;
    follow(*sockets_[slot], sender_.flush(*sockets_[slot], now_.boot));
  }
}

void RelayLoop::fire_timers() {
  const auto due = server_->poll_timeout();
  if (due.has_value() && *due <= now_.boot) server_->handle_timeout(now_);
}

void RelayLoop::arm_timer() {
  const auto due = server_->poll_timeout();
  // Deadlines mostly move away: an early wake-up once in a while is cheaper than a system call for each move.
  if (!due.has_value() || (armed_.has_value() && *armed_ <= *due)) return;
  armed_ = due;
  // Zero would disarm: the past is one nanosecond after boot.
  const auto since_boot = std::max(due->time_since_epoch(), Duration(1));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<time_t>(seconds.count());
  spec.it_value.tv_nsec = static_cast<long>((since_boot - seconds).count());
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

// ---- relaying ----

void RelayLoop::relay_some() {
  for (std::size_t packets = 0; packets < kTurnPackets;) {
    const auto slot = ready_.take();
    if (!slot.has_value()) return;
    packets += relay_batch(*slot);
  }
}

std::size_t RelayLoop::relay_batch(Slot slot) {
  RelaySocket& socket = *sockets_[slot];
  const auto outcome = batch_.read(socket.fd(), socket.family(), socket.receive, syscalls_, counters_);
  if (outcome.drained) {
    ready_.drop(slot, outcome.packets);
  } else {
    ready_.keep(slot, outcome.packets);
  }
  const auto allocation = socket.allocation();
  if (wire_log_ && wire_log_->should_log(spdlog::level::trace)) log_batch(allocation);
  for (const ReceivedMessage& message : batch_.messages()) {
    if (allocation.has_value()) {
      relay_allocation(*allocation, message);
    } else {
      relay_control(message);  // may close any allocation's sockets
    }
  }
  send_train();
  return outcome.packets;
}

void RelayLoop::log_batch(std::optional<std::uint16_t> allocation) const {
  const std::string port = allocation ? " allocation=" + std::to_string(*allocation) : std::string();
  for (const ReceivedMessage& message : batch_.messages()) {
    wire_log_->trace("received: sender={}{} num_bytes={} datagrams={}", message.source.to_string(), port,
                     message.bytes.size(), message.segments());
  }
}

void RelayLoop::relay_control(const ReceivedMessage& message) {
  std::size_t offset = 0;
  do {
    const std::size_t length = std::min(message.segment_bytes, message.bytes.size() - offset);
    const ConstBytes datagram = message.bytes.subspan(offset, length);
    offset += length;
    if (!datagram.empty() && datagram[0] <= kStunMax) {
      // It may close the socket of the train, and its answer must not overtake what came before it.
      send_train();
      server_->handle_control(now_, message.source, datagram);
    } else {
      relay_channel_data(message, datagram);
    }
  } while (offset < message.bytes.size());
}

void RelayLoop::relay_channel_data(const ReceivedMessage& message, ConstBytes datagram) {
  const auto to = server_->from_client(message.source, datagram);
  if (!to.has_value()) return;
  RelaySocket* const socket = allocation_socket(to->port, to->peer.address.family());
  if (socket == nullptr) return counters_.add(RelayCounter::no_socket);
  append({.socket = socket, .to = to->peer, .channel = 0, .ecn = message.ecn},
         datagram.subspan(kChannelHeaderBytes, to->bytes));
}

void RelayLoop::relay_allocation(std::uint16_t port, const ReceivedMessage& message) {
  const auto to = server_->from_peer(port, message.source, message.bytes.size(), message.segments());
  if (!to.has_value()) return;
  if (to->channel == 0) return relay_indications(*to, message);
  RelaySocket* const socket = control_socket(to->client.address.family());
  if (socket == nullptr) return counters_.add(RelayCounter::no_socket, message.segments());
  const Route route{.socket = socket, .to = to->client, .channel = to->channel, .ecn = message.ecn};
  std::size_t offset = 0;
  do {
    const std::size_t length = std::min(message.segment_bytes, message.bytes.size() - offset);
    append(route, message.bytes.subspan(offset, length));
    offset += length;
  } while (offset < message.bytes.size());
}

void RelayLoop::relay_indications(const Server::ToClient& to, const ReceivedMessage& message) {
  send_train();
  RelaySocket* const socket = control_socket(to.client.address.family());
  if (socket == nullptr) return counters_.add(RelayCounter::no_socket, message.segments());
  indication_.resize(std::max(indication_.size(), message.segment_bytes + kDataIndicationOverheadMax));
  std::size_t offset = 0;
  do {
    const std::size_t length = std::min(message.segment_bytes, message.bytes.size() - offset);
    const std::size_t bytes =
        server_->write_data_indication(to, message.source, message.bytes.subspan(offset, length), indication_);
    if (bytes != 0) send_now(*socket, to.client, message.ecn, ConstBytes(indication_).first(bytes));
    offset += length;
  } while (offset < message.bytes.size());
}

void RelayLoop::append(const Route& route, ConstBytes payload) {
  if (train_.append(route, payload)) return;
  send_train();
  static_cast<void>(train_.append(route, payload));
}

void RelayLoop::send_train() {
  if (train_.empty()) return;
  deliver(*train_.route().socket, train_.view());
  train_.clear();
}

void RelayLoop::send_now(RelaySocket& socket, const Endpoint& to, packet::Ecn ecn, ConstBytes datagram) {
  const iovec piece{.iov_base = const_cast<std::byte*>(datagram.data()), .iov_len = datagram.size()};
  deliver(socket, {.to = to,
                   .ecn = ecn,
                   .segment_bytes = datagram.size(),
                   .last_bytes = datagram.size(),
                   .count = 1,
                   .pieces = std::span(&piece, 1)});
}

void RelayLoop::deliver(RelaySocket& socket, const TrainView& train) {
  const bool waited = socket.waiting != nullptr;
  const auto state = sender_.send(socket, train, now_.boot);
  // Who waits already is known by its event or its turn.
  if (!waited) follow(socket, state);
}

void RelayLoop::follow(RelaySocket& socket, TrainSender::State state) {
  if (state == TrainSender::State::busy) busy_.push_back(socket.slot);
  const bool blocked = state == TrainSender::State::blocked;
  if (blocked != socket.watches_writable) watch_writable(socket, blocked);
  socket.watches_writable = blocked;
}

// ---- sockets ----

void RelayLoop::watch_writable(const RelaySocket& socket, bool writable) noexcept {
  const std::uint32_t events = EPOLLIN | EPOLLET | (writable ? std::uint32_t{EPOLLOUT} : 0u);
  watch(epoll_.get(), socket.fd(), events, socket.slot, EPOLL_CTL_MOD);
}

RelaySocket* RelayLoop::add(std::unique_ptr<RelaySocket> socket) {
  const Slot slot = free_slots_.empty() ? static_cast<Slot>(sockets_.size()) : free_slots_.back();
  socket->slot = slot;
  if (!watch(epoll_.get(), socket->fd(), EPOLLIN | EPOLLET, slot)) return nullptr;
  if (slot == sockets_.size()) {
    sockets_.emplace_back();
  } else {
    free_slots_.pop_back();
  }
  sockets_[slot] = std::move(socket);
  ++open_sockets_;
  return sockets_[slot].get();
}

void RelayLoop::remove(RelaySocket* socket) {
  if (socket == nullptr) return;
  const Slot slot = socket->slot;
  sender_.discard(*socket);
  socket->receive.note_drops(io::socket_drops(socket->fd()), counters_);
  ready_.erase(slot);
  sockets_[slot].reset();
  free_slots_.push_back(slot);
  --open_sockets_;
}

Host::Opened RelayLoop::open_allocation_socket(std::uint16_t port, Family family, RelaySocket*& out) {
  if (open_sockets_ >= options_.sockets_max) {
    say_exhausted(
        "all " + std::to_string(options_.sockets_max) + " sockets that the limit of open files allows are open", true);
    return Opened::exhausted;
  }
  auto socket = RelaySocket::open({.family = family,
                                   .port = port,
                                   .address = family == Family::v4 ? options_.bind_ip4 : options_.bind_ip6,
                                   .gro = options_.gro});
  if (!socket.has_value()) {
    if (!is_of_the_port(socket.error().code)) {
      say_exhausted(socket.error().to_string(), is_of_the_limit(socket.error().code));
      return Opened::exhausted;
    }
    spdlog::warn("{}", socket.error().to_string());
    return Opened::unusable;
  }
  out = add(std::move(*socket));
  if (out == nullptr) {
    say_exhausted(io::last_error("watch a socket of", "the relay").to_string(), false);
    return Opened::exhausted;
  }
  return Opened::done;
}

void RelayLoop::count_kernel_drops() {
  for (const auto& socket : sockets_) {
    if (!socket) continue;
    socket->receive.note_drops(io::socket_drops(socket->fd()), counters_);
  }
}

// Once per time of need: every client that asks would write a line.
void RelayLoop::say_exhausted(const std::string& why, bool of_the_limit) {
  if (std::exchange(exhausted_, true)) return;
  spdlog::warn("{}: new allocations are answered 508{}", why,
               of_the_limit ? ": raise LimitNOFILE of the unit, or ulimit -n" : "");
}

RelaySocket* RelayLoop::control_socket(Family family) const noexcept {
  return family == Family::v4 ? control_v4_ : control_v6_;
}

RelaySocket* RelayLoop::allocation_socket(std::uint16_t port, Family family) const noexcept {
  return family == Family::v4 ? ports_[port].v4 : ports_[port].v6;
}

bool RelayLoop::gso_enabled() const noexcept {
  return options_.gso && sender_.gso(Family::v4).enabled() && sender_.gso(Family::v6).enabled();
}

// ---- Host ----

Host::Opened RelayLoop::open_port(std::uint16_t port, Families families) {
  PortSockets sockets;
  Opened opened = Opened::done;
  if (families.v4) opened = open_allocation_socket(port, Family::v4, sockets.v4);
  if (families.v6 && opened == Opened::done) opened = open_allocation_socket(port, Family::v6, sockets.v6);
  if (opened != Opened::done) {
    remove(sockets.v4);
    return opened;
  }
  exhausted_ = false;
  ports_[port] = sockets;
  if (fast_path_ != nullptr) fast_path_->port_opened(port);
  return Opened::done;
}

void RelayLoop::close_port(std::uint16_t port) {
  if (fast_path_ != nullptr) fast_path_->port_closed(port);
  const PortSockets closing = std::exchange(ports_[port], {});
  remove(closing.v4);
  remove(closing.v6);
}

void RelayLoop::send_control(const Endpoint& to, std::span<const std::byte> message) {
  RelaySocket* const socket = control_socket(to.address.family());
  if (socket == nullptr) return counters_.add(RelayCounter::no_socket);
  send_now(*socket, to, packet::Ecn::not_ect, message);
}

void RelayLoop::send_peer(std::uint16_t port, const Endpoint& to, std::span<const std::byte> data) {
  RelaySocket* const socket = allocation_socket(port, to.address.family());
  if (socket == nullptr) return counters_.add(RelayCounter::no_socket);
  send_now(*socket, to, packet::Ecn::not_ect, data);
}

Host::Offload RelayLoop::offload(const ChannelBinding& binding) {
  return fast_path_ == nullptr ? Offload::not_offloaded : fast_path_->offload(binding);
}

void RelayLoop::prolong(const ChannelBinding& binding) {
  if (fast_path_ != nullptr) fast_path_->prolong(binding);
}

void RelayLoop::withdraw(const ChannelBinding& binding) {
  if (fast_path_ != nullptr) fast_path_->withdraw(binding);
}

void RelayLoop::report(const Event& event) {
  if (observer_) observer_(event);
}

}  // namespace fireline::relay
