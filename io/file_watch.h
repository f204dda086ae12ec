// Tells when a file stops being in its place: removed, renamed, replaced, or its directory gone. By inotify on the
// directory, because a socket's own inode lives on while it is open.
// Lifetime: loop and the objects captured by the callbacks must outlive the watch. Threads: the loop's.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <system_error>

#include "core/base/result.h"
#include "io/event_loop.h"
#include "io/file_descriptor.h"

namespace fireline::io {

class FileWatch {
 public:
  // Whenever something happened in the directory, `is_in_place` is asked; at its first "no" `gone` is called, once.
  // It is also asked in the loop's first turn, so that nothing is missed between the file's birth and the watch.
  [[nodiscard]] static Result<std::unique_ptr<FileWatch>, std::error_code> make(
      EventLoop& loop, const std::string& directory, std::move_only_function<bool()> is_in_place,
      std::move_only_function<void()> gone);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

 private:
  FileWatch(EventLoop& loop, FileDescriptor inotify, std::move_only_function<bool()> is_in_place,
            std::move_only_function<void()> gone) noexcept;
  void check();

  EventLoop& loop_;
  FileDescriptor inotify_;
  std::move_only_function<bool()> is_in_place_;
  std::move_only_function<void()> gone_;
  bool reported_ = false;
  EventLoop::Id watch_ = EventLoop::Id::none;
  EventLoop::Id first_check_ = EventLoop::Id::none;
};

}  // namespace fireline::io
