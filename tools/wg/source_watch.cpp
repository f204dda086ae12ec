#include "tools/wg/source_watch.h"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "io/loop_thread.h"
#include "platform/linux/route_lookup.h"

namespace fireline::wg {

Result<std::unique_ptr<SourceWatch>, std::string> SourceWatch::start(io::EventLoop& loop,
                                                                     std::function<void()> changed) {
  auto events = platform::NetlinkEvents::open();
  if (!events) return err(std::move(events.error().sentence));
  auto query = platform::NetlinkQuery::open();
  if (!query) return err("cannot ask for routes: " + std::generic_category().message(query.error()));
  std::unique_ptr<SourceWatch> watch(new SourceWatch(loop, std::move(*events), std::move(*query), std::move(changed)));
  watch->watch_ =
      loop.watch(watch->events_.fd(), EPOLLIN, [raw = watch.get()](io::EventLoop::Events) { raw->on_event(); });
  if (watch->watch_ == io::EventLoop::Id::none) return err(std::string("cannot hear of routes: too many descriptors"));
  return watch;
}

SourceWatch::~SourceWatch() {
  loop_.unwatch(watch_);
  loop_.cancel(timer_);
}

void SourceWatch::on_event() {
  const auto told = events_.drain();
  if (!told) {
    spdlog::warn("{}; answers keep their source until the peer speaks to another address", told.error().sentence);
    return loop_.unwatch(std::exchange(watch_, io::EventLoop::Id::none));
  }
  if (!*told || timer_ != io::EventLoop::Id::none) return;
  timer_ = loop_.at(std::max(loop_.now().boot + kQuiet, not_before_), [this] { look(); });
}

void SourceWatch::look() {
  timer_ = io::EventLoop::Id::none;
  const Instant began = io::read_clocks().boot;
  changed_();
  const Instant ended = io::read_clocks().boot;
  not_before_ = ended + kPauseFactor * (ended - began);
}

std::vector<wireguard::StickySource> SourceWatch::moved(std::span<const wireguard::StickySource> sources,
                                                        std::uint32_t mark) {
  std::vector<wireguard::StickySource> found;
  for (const wireguard::StickySource& source : sources) {
    // Its interface is part of a link-local address.
    if (source.destination.scope != 0) continue;
    const auto route = platform::find_route(
        query_, {.destination = source.destination.address, .source = source.local.address, .mark = mark});
    // Without a route nothing leaves, and most gaps end with the route that there was. A source that is no address of
    // this host any more has none either: the sender leaves it out.
    if (route && route->interface != source.local.interface) found.push_back(source);
  }
  return found;
}

}  // namespace fireline::wg
