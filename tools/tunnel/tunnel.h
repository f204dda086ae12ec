// One engine with its devices, sockets and threads, as the control thread of a program sees it.
//
//   control thread ── run() ──▶ packet thread: EventEngine ─ Core ⇄ TUN, UDP sockets (io/data_plane.h)
//                  ◀─ event ──
//
// `Core` is a packet::Engine with poll_event(), set_ports(), handle_unreachable(), resume() and close_all() as
// node::Node has them. Lifetime: options and loop outlive it; handlers are called from the loop and may not destroy it.
// Threads: the control thread's.
#pragma once
#include <sys/epoll.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "tools/tunnel/data_path.h"
#include "tools/tunnel/engine_port.h"
#include "tools/tunnel/event_engine.h"
#include "tools/tunnel/tunnel_life.h"

namespace fireline::tunnel {

template <class Core>
class Tunnel final : public EnginePort<Core>, public TunnelLife {
 public:
  using Command = typename EnginePort<Core>::Command;
  using Event = typename EventEngine<Core>::Event;
  struct Handlers {
    std::move_only_function<void(const Event&)> event;
    std::move_only_function<void(std::string)> failed;  // a sentence: the interface went away
  };

  // `make(Devices&)` gives the core. Opens everything and starts no thread. The error is one sentence.
  template <class Make>
  [[nodiscard]] static Result<std::unique_ptr<Tunnel>, std::string> open(const TunnelOptions& options,
                                                                         io::EventLoop& loop, Make make,
                                                                         Handlers handlers) {
    auto devices = Devices::open(options);
    if (!devices) return err(std::move(devices.error()));
    auto core = make(**devices);
    std::unique_ptr<Tunnel> self(new Tunnel(options, loop, std::move(*devices), std::move(core), std::move(handlers)));
    if (auto wrong = self->path_.bind(); !wrong.empty()) return err(std::move(wrong));
    return self;
  }
  ~Tunnel() override {
    loop_.unwatch(event_watch_);
    path_.stop();
  }
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  void start() override { path_.start(); }
  void resume() override {
    run([](Core& core, Now now, packet::Output& output) { core.resume(now, output); });
  }
  void close_all() override {
    run([](Core& core, Now now, packet::Output& output) { core.close_all(now, output); });
  }
  [[nodiscard]] bool sent_all() override { return path_.sent_all(); }

  void run(const Command& command) override {
    path_.plane().run([&](packet::Engine&, Now now, packet::Output& output) {
      command(*core_, now, output);
      events_.collect();
    });
  }
  void run_and_forget_events(const Command& command) override {
    path_.plane().run([&](packet::Engine&, Now now, packet::Output& output) {
      command(*core_, now, output);
      static_cast<void>(events_.take());
    });
  }
  void handle_events() override {
    eventfd_t ignored = 0;
    eventfd_read(events_.event_fd(), &ignored);
    std::deque<Event> events;
    path_.plane().run([&](packet::Engine&, Now, packet::Output&) { events = events_.take(); });
    for (const Event& event : events) handlers_.event(event);
  }
  [[nodiscard]] std::string rebind() override { return path_.bind(); }

  // For what any thread may read of it: its counters.
  [[nodiscard]] const Core& core() const noexcept { return *core_; }
  [[nodiscard]] const Devices& devices() const noexcept { return *devices_; }
  [[nodiscard]] DataPath& path() noexcept { return path_; }

 private:
  Tunnel(const TunnelOptions& options, io::EventLoop& loop, std::unique_ptr<Devices> devices,
         std::unique_ptr<Core> core, Handlers handlers)
      : loop_(loop),
        handlers_(std::move(handlers)),
        devices_(std::move(devices)),
        core_(std::move(core)),
        events_(*core_),
        path_(options, *devices_, events_, loop, path_handlers()) {
    event_watch_ = loop_.watch(events_.event_fd(), EPOLLIN, [this](io::EventLoop::Events) { handle_events(); });
  }

  DataPath::Handlers path_handlers() {
    return {.bound =
                [this](PortPair ports) {
                  run([&](Core& core, Now, packet::Output&) { core.set_ports(ports.v4, ports.v6); });
                },
            .unreachable =
                [this](std::span<const Endpoint> destinations) {
                  run([&](Core& core, Now now, packet::Output& output) {
                    for (const Endpoint& one : destinations) core.handle_unreachable(now, one, output);
                  });
                },
            .failed = [this](std::string why) { handlers_.failed(std::move(why)); }};
  }

  io::EventLoop& loop_;
  Handlers handlers_;
  std::unique_ptr<Devices> devices_;
  std::unique_ptr<Core> core_;
  EventEngine<Core> events_;
  DataPath path_;
  io::EventLoop::Id event_watch_ = io::EventLoop::Id::none;
};

}  // namespace fireline::tunnel
