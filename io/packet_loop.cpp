#include "io/packet_loop.h"

#include <utility>

namespace fireline::io {
namespace {

// What timers and commands may produce while the outboxes are full: a train is a handshake message or a keepalive.
constexpr std::size_t kReserveTrains = 256;

}  // namespace

PacketLoop::PacketLoop(Wiring wiring)
    : wiring_(std::move(wiring)),
      line_(*wiring_.engine, *wiring_.aead, wiring_.helpers, wiring_.cipher_threshold),
      commands_(kCommandsMax) {}

void PacketLoop::enter() {
  for (BufferPool* pool : wiring_.pools) pool->adopt(wiring_.waker);
}

bool PacketLoop::turn(Now now) {
  if (merging_ && !wiring_.tun->coalescing_allowed()) {
    merging_ = false;
    wiring_.engine->stop_merging();
  }
  bool worked = serve_commands(now);
  worked |= serve_timers(now);
  if (!has_room()) {
    counters_.add(PacketLoopCounter::no_room);
    return line_.help() || worked;
  }
  hand_on(now);
  worked |= commit_finished(now);
  if (has_room() && wiring_.engine->step_handshake(now, output_)) {
    counters_.add(PacketLoopCounter::handshake_steps);
    hand_on(now);
    worked = true;
  }
  if (has_room()) worked |= serve_batches(now);
  // With something to read or to send, the helpers' tasks stay theirs.
  if (worked || line_.help()) return true;
  line_.rest();
  return false;
}

void PacketLoop::arm(PollSet& set) {
  if (reserve_used_up()) return;  // the outboxes' room wakes the thread, not the timer
  if (const auto deadline = wiring_.engine->poll_timeout()) set.add_deadline(*deadline);
}

bool PacketLoop::post(Command command) {
  if (commands_waiting_.fetch_add(1, std::memory_order_acq_rel) >= kCommandsMax) {
    commands_waiting_.fetch_sub(1, std::memory_order_acq_rel);
    return false;
  }
  commands_.enqueue(std::move(command));
  wiring_.waker->wake();
  return true;
}

void PacketLoop::run_posted(Now now) {
  while (serve_commands(now)) {
  }
}

bool PacketLoop::has_room() noexcept {
  // All three are asked each time: the answer "no" asks for a wake-up.
  const bool tun = wiring_.tun_out.ready();
  const bool udp4 = wiring_.udp4_out.ready();
  const bool udp6 = wiring_.udp6_out.ready();
  return tun && udp4 && udp6;
}

bool PacketLoop::serve_commands(Now now) {
  if (commands_waiting_.load(std::memory_order_acquire) == 0) return false;
  Command command;
  if (!commands_.try_dequeue(command)) return false;
  commands_waiting_.fetch_sub(1, std::memory_order_acq_rel);
  command(*wiring_.engine, now, output_);
  counters_.add(PacketLoopCounter::commands);
  return true;
}

bool PacketLoop::serve_timers(Now now) {
  const auto deadline = wiring_.engine->poll_timeout();
  if (!deadline || *deadline > now.boot) return false;
  if (reserve_used_up()) {
    counters_.add(PacketLoopCounter::timers_deferred);
    return false;
  }
  wiring_.engine->handle_timeout(now, output_);
  return true;
}

bool PacketLoop::serve_batches(Now now) {
  bool worked = serve_batch(wiring_.udp4_in, PacketLoopCounter::udp_batches, now);
  if (has_room()) worked |= serve_batch(wiring_.udp6_in, PacketLoopCounter::udp_batches, now);
  if (has_room()) worked |= serve_batch(wiring_.tun_in, PacketLoopCounter::tun_batches, now);
  return worked;
}

template <class Batch>
bool PacketLoop::serve_batch(Channel<Batch>* channel, PacketLoopCounter counter, Now now) {
  if (!line_.has_room()) return false;
  Batch* batch = channel->take();
  if (batch == nullptr) return false;
  counters_.add(counter);
  wiring_.engine->plan(now, *batch, line_.next());
  line_.start();
  (void)commit_finished(now);
  channel->give_back(batch);
  return true;
}

bool PacketLoop::commit_finished(Now now) {
  bool worked = false;
  for (packet::Work* work = line_.finished(); work != nullptr && has_room(); work = line_.finished()) {
    wiring_.engine->commit(now, *work, output_);
    line_.retire();
    hand_on(now);
    worked = true;
  }
  return worked;
}

bool PacketLoop::reserve_used_up() const noexcept {
  return output_.udp4.trains.size() + output_.udp6.trains.size() >= kReserveTrains;
}

void PacketLoop::hand_on(Now now) noexcept {
  wiring_.udp4_out.submit(output_.udp4, now);
  wiring_.udp6_out.submit(output_.udp6, now);
  wiring_.tun_out.submit(output_.tun, now);
}

}  // namespace fireline::io
