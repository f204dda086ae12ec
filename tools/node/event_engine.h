// A node between the packet thread and the control thread: whatever the packet thread makes the node do, its events are
// collected at once and the control thread is woken through a descriptor, so that a candidate waits for no timer.
// Lifetime: the node outlives it. Threads: as packet::Engine; take() on the packet thread; event_fd() is polled by the
// control thread, which clears it. Limit: kEventsMax, further ones wait in the node, whose limits hold.
#pragma once
#include <sys/eventfd.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <system_error>
#include <utility>

#include "core/node/node.h"
#include "io/file_descriptor.h"

namespace fireline::lab {

inline constexpr std::size_t kEventsMax = 1024;  // a lab has one connection; the control thread takes them in a turn

class EventEngine final : public packet::Engine {
 public:
  explicit EventEngine(node::Node& node) : node_(node), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!wake_) throw std::system_error(errno, std::system_category(), "cannot make an eventfd");
  }

  [[nodiscard]] int event_fd() const noexcept { return wake_.get(); }
  [[nodiscard]] std::deque<node::NodeEvent> take() {
    collect();
    return std::exchange(events_, {});
  }

  std::unique_ptr<packet::Work> make_work() override { return node_.make_work(); }
  void plan(Now now, packet::TunBatch& batch, packet::Work& work) override { node_.plan(now, batch, work); }
  void plan(Now now, packet::UdpBatch& batch, packet::Work& work) override { node_.plan(now, batch, work); }
  void commit(Now now, packet::Work& work, packet::Output& output) override {
    node_.commit(now, work, output);
    collect();
  }
  bool step_handshake(Now now, packet::Output& output) override {
    const bool worked = node_.step_handshake(now, output);
    collect();
    return worked;
  }
  [[nodiscard]] std::optional<Instant> poll_timeout() const override { return node_.poll_timeout(); }
  void handle_timeout(Now now, packet::Output& output) override {
    node_.handle_timeout(now, output);
    collect();
  }
  void stop_merging() override { node_.stop_merging(); }

 private:
  void collect() {
    bool some = false;
    while (events_.size() < kEventsMax) {
      auto event = node_.poll_event();
      if (!event) break;
      events_.push_back(std::move(*event));
      some = true;
    }
    if (some) eventfd_write(wake_.get(), 1);
  }

  node::Node& node_;
  io::FileDescriptor wake_;
  std::deque<node::NodeEvent> events_;
};

}  // namespace fireline::lab
