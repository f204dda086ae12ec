#include "tools/node/exchange.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace fireline::lab {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;

const char* file_of(node::NodeRole role) {
  return role == node::NodeRole::client ? "/client.jsonl" : "/gateway.jsonl";
}

node::NodeRole other_than(node::NodeRole role) {
  return role == node::NodeRole::client ? node::NodeRole::gateway : node::NodeRole::client;
}

std::string failure(const char* what, const std::string& path) {
  return fmt::format("cannot {} {}: {}", what, path, std::strerror(errno));
}

bool is_same_file(int fd, const std::string& path) {
  struct stat open_one{};
  struct stat named{};
  return ::fstat(fd, &open_one) == 0 && ::stat(path.c_str(), &named) == 0 && open_one.st_ino == named.st_ino &&
         open_one.st_dev == named.st_dev;
}

}  // namespace

Result<std::unique_ptr<Exchange>, std::string> Exchange::open(io::EventLoop& loop, const std::string& directory,
                                                              node::NodeRole own, Handler handler) {
  if (::mkdir(directory.c_str(), kDirectoryMode) != 0 && errno != EEXIST) return err(failure("make", directory));
  std::unique_ptr<Exchange> exchange(new Exchange(loop, std::move(handler)));
  exchange->inotify_ = io::FileDescriptor(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!exchange->inotify_ ||
      inotify_add_watch(exchange->inotify_.get(), directory.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
    return err(failure("watch", directory));
  }
  const auto path = directory + file_of(own);
  const auto fresh = path + ".new";
  exchange->own_ =
      io::FileDescriptor(::open(fresh.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, kFileMode));
  if (!exchange->own_ || ::rename(fresh.c_str(), path.c_str()) != 0) return err(failure("write", path));
  exchange->other_path_ = directory + file_of(other_than(own));
  exchange->watch_ = loop.watch(exchange->inotify_.get(), EPOLLIN,
                                [self = exchange.get()](io::EventLoop::Events) { self->changed(); });
  exchange->first_read_ = loop.at(loop.now().boot, [self = exchange.get()] { self->follow(); });
  if (exchange->watch_ == io::EventLoop::Id::none || exchange->first_read_ == io::EventLoop::Id::none) {
    return err(fmt::format("cannot watch {}: too many descriptors", directory));
  }
  return exchange;
}

Exchange::~Exchange() {
  loop_.unwatch(watch_);
  loop_.cancel(first_read_);
}

bool Exchange::write(const Record& record) {
  const auto line = to_line(record);
  const auto written = ::write(own_.get(), line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return true;
  spdlog::error("the rendezvous file took {} of {} bytes: {}", written, line.size(), std::strerror(errno));
  return false;
}

void Exchange::changed() {
  // What happened does not matter, the files' state does.
  alignas(inotify_event) std::array<char, 4096> events;
  while (::read(inotify_.get(), events.data(), events.size()) > 0) {
  }
  follow();
}

void Exchange::follow() {
  if (other_) read_lines();
  if (other_ && is_same_file(other_.get(), other_path_)) return;
  io::FileDescriptor next(::open(other_path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!next) return;  // not started yet; its file's birth wakes us
  other_ = std::move(next);
  partial_.clear();
  read_lines();
}

void Exchange::read_lines() {
  std::array<char, 16384> chunk;
  for (auto bytes = ::read(other_.get(), chunk.data(), chunk.size()); bytes > 0;
       bytes = ::read(other_.get(), chunk.data(), chunk.size())) {
    partial_.append(chunk.data(), static_cast<std::size_t>(bytes));
    std::size_t begin = 0;
    for (auto end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n', begin)) {
      const auto record = parse_record(std::string_view(partial_).substr(begin, end - begin));
      begin = end + 1;
      if (record) {
        handler_(*record);
      } else {
        spdlog::error("a line of {} is skipped: {}", other_path_, record.error());
      }
    }
    partial_.erase(0, begin);
    if (partial_.size() > kRecordBytesMax) {
      spdlog::error("{} holds a line of more than {} bytes: it is not followed further", other_path_, kRecordBytesMax);
      loop_.unwatch(watch_);
      return;
    }
  }
}

}  // namespace fireline::lab
