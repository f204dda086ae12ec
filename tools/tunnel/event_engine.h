// An engine between the packet thread and the control thread: whatever the packet thread makes it do, its events are
// collected at once and the control thread is woken through a descriptor, so that none waits for a timer.
//
// `Core` is a packet::Engine with poll_event(), which gives its oldest event or nothing.
// Lifetime: the core outlives it. Threads: as packet::Engine; collect() and take() on the packet thread; event_fd() is
// polled by the control thread, which clears it. Limit: kEventsMax, further ones wait in the core, whose limits hold.
#pragma once
#include <sys/eventfd.h>

#include <cerrno>
#include <cstddef>
#include <deque>
#include <memory>
#include <system_error>
#include <utility>

#include "core/packet/engine.h"
#include "io/file_descriptor.h"

namespace fireline::tunnel {

// The control thread takes all of them in a turn; a gateway's clients connect and leave by the hundred.
inline constexpr std::size_t kEventsMax = 1024;

template <class Core>
class EventEngine final : public packet::Engine {
 public:
  using Event = typename decltype(std::declval<Core&>().poll_event())::value_type;

  explicit EventEngine(Core& core) : core_(core), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!wake_) throw std::system_error(errno, std::system_category(), "cannot make an eventfd");
  }

  [[nodiscard]] int event_fd() const noexcept { return wake_.get(); }
  // Behind what the control thread did to the core.
  void collect() {
    bool some = false;
    while (events_.size() < kEventsMax) {
      auto event = core_.poll_event();
      if (!event) break;
      events_.push_back(std::move(*event));
      some = true;
    }
    if (some) eventfd_write(wake_.get(), 1);
  }
  // Oldest first. What exceeded the limit is signalled again.
  [[nodiscard]] std::deque<Event> take() {
    collect();
    auto events = std::exchange(events_, {});
    collect();
    return events;
  }

  std::unique_ptr<packet::Work> make_work() override { return core_.make_work(); }
  void plan(Now now, packet::TunBatch& batch, packet::Work& work) override { core_.plan(now, batch, work); }
  void plan(Now now, packet::UdpBatch& batch, packet::Work& work) override { core_.plan(now, batch, work); }
  void commit(Now now, packet::Work& work, packet::Output& output) override {
    core_.commit(now, work, output);
    collect();
  }
  bool step_handshake(Now now, packet::Output& output) override {
    const bool worked = core_.step_handshake(now, output);
    collect();
    return worked;
  }
  [[nodiscard]] std::optional<Instant> poll_timeout() const override { return core_.poll_timeout(); }
  void handle_timeout(Now now, packet::Output& output) override {
    core_.handle_timeout(now, output);
    collect();
  }
  void stop_merging() override { core_.stop_merging(); }

 private:
  Core& core_;
  io::FileDescriptor wake_;
  std::deque<Event> events_;
};

}  // namespace fireline::tunnel
