#include "io/file_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>

#include <array>
#include <cerrno>

namespace fireline::io {

Result<std::unique_ptr<FileWatch>, std::error_code> FileWatch::make(EventLoop& loop, const std::string& directory,
                                                                    std::move_only_function<bool()> is_in_place,
                                                                    std::move_only_function<void()> gone) {
  const auto last_error = [] { return std::error_code(errno, std::system_category()); };
  FileDescriptor inotify(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify) return err(last_error());
  constexpr std::uint32_t kMask =
      IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF;
  if (inotify_add_watch(inotify.get(), directory.c_str(), kMask) < 0) return err(last_error());
  std::unique_ptr<FileWatch> watch(new FileWatch(loop, std::move(inotify), std::move(is_in_place), std::move(gone)));
  watch->watch_ =
      loop.watch(watch->inotify_.get(), EPOLLIN, [self = watch.get()](EventLoop::Events) { self->check(); });
  watch->first_check_ = loop.at(loop.now().boot, [self = watch.get()] { self->check(); });
  if (watch->watch_ == EventLoop::Id::none || watch->first_check_ == EventLoop::Id::none) {
    return err(std::make_error_code(std::errc::no_buffer_space));
  }
  return watch;
}

FileWatch::FileWatch(EventLoop& loop, FileDescriptor inotify, std::move_only_function<bool()> is_in_place,
                     std::move_only_function<void()> gone) noexcept
    : loop_(loop), inotify_(std::move(inotify)), is_in_place_(std::move(is_in_place)), gone_(std::move(gone)) {}

FileWatch::~FileWatch() {
  loop_.unwatch(watch_);
  loop_.cancel(first_check_);
}

void FileWatch::check() {
  // What happened does not matter, the state of the path does: one read makes room, the rest comes in the next turn.
  std::array<char, 4096> events;
  [[maybe_unused]] const auto bytes = ::read(inotify_.get(), events.data(), events.size());
  if (reported_ || is_in_place_()) return;
  reported_ = true;
  loop_.unwatch(watch_);
  gone_();
}

}  // namespace fireline::io
