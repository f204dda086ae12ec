// Two append-only files in one directory, client.jsonl and gateway.jsonl: this end writes one and follows the other by
// inotify. A file is replaced when its writer starts, never cut, so that a reader cannot mistake a new one for the old.
//
// Lifetime: loop, and what the handler captures, outlive it. Threads: the loop's.
// Limits: kRecordBytesMax a line; a longer one ends the following of that file, with one error in the log.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/node/node_options.h"
#include "io/event_loop.h"
#include "io/file_descriptor.h"
#include "tools/node/record.h"

namespace fireline::lab {

class Exchange {
 public:
  using Handler = std::move_only_function<void(const Record&)>;

  // Makes the directory (mode 0700: the records hold ICE passwords) and this end's file. What the other end wrote
  // already comes in the loop's first turn. The error is one sentence.
  [[nodiscard]] static Result<std::unique_ptr<Exchange>, std::string> open(io::EventLoop& loop,
                                                                           const std::string& directory,
                                                                           node::NodeRole own, Handler handler);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // False, with the reason in the log, when the file takes no more.
  bool write(const Record& record);

 private:
  Exchange(io::EventLoop& loop, Handler handler) noexcept : loop_(loop), handler_(std::move(handler)) {}
  void changed();
  void follow();
  void read_lines();

  io::EventLoop& loop_;
  Handler handler_;
  std::string other_path_;
  io::FileDescriptor own_;
  io::FileDescriptor other_;
  io::FileDescriptor inotify_;
  std::string partial_;  // a line whose end was not written yet
  io::EventLoop::Id watch_ = io::EventLoop::Id::none;
  io::EventLoop::Id first_read_ = io::EventLoop::Id::none;
};

}  // namespace fireline::lab
