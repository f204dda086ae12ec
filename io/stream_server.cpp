#include "io/stream_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace fireline::io {
namespace {

// Work done for one client in one turn; then the loop looks after the others.
constexpr std::size_t kStepsPerTurn = 64;
// After accept failed for want of descriptors or memory: level-triggered polling would spin.
constexpr Duration kAcceptPause = std::chrono::seconds(1);

bool would_block() noexcept {
  return errno == EAGAIN || errno == EWOULDBLOCK;
}

}  // namespace

StreamServer::StreamServer(EventLoop& loop, int listener, StreamLimits limits, SessionFactory make_session)
    : loop_(loop), listener_(listener), limits_(limits), make_session_(std::move(make_session)) {
  listening_ = loop_.watch(listener_, EPOLLIN, [this](EventLoop::Events) { accept_all(); });
}

StreamServer::~StreamServer() {
  loop_.unwatch(listening_);
  loop_.cancel(resume_);
  while (!clients_.empty()) drop(clients_.begin()->first);
}

void StreamServer::accept_all() {
  // Fewer than clients in a turn: who was let in last is heard before another one may displace it.
  const std::size_t accepts_max = std::max<std::size_t>(limits_.clients_max / 2, 1);
  for (std::size_t accepts = 0; accepts < accepts_max; ++accepts) {
    std::optional<std::uint64_t> giving_way;
    if (clients_.size() >= limits_.clients_max) {
      giving_way = who_gives_way();
      if (!giving_way) return loop_.change(listening_, 0);  // drop() or an answer that was read resumes
    }
    FileDescriptor socket(::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      // The client went away before it was accepted: the next one may be there.
      if (errno == ECONNABORTED || errno == EINTR) continue;
      if (!would_block()) pause_accepting();
      return;
    }
    if (giving_way) {
      ++displaced_;
      drop(*giving_way);
    }
    if (!accept_one(std::move(socket))) return pause_accepting();
  }
}

// False: the loop has no place for it.
bool StreamServer::accept_one(FileDescriptor socket) {
  const auto key = ++last_key_;
  Client& client = clients_[key];
  client.socket = std::move(socket);
  client.session = make_session_();
  client.busy = !client.session->is_idle();
  client.since = ++last_since_;
  client.watch =
      loop_.watch(client.socket.get(), EPOLLIN, [this, key](EventLoop::Events events) { serve(key, events); });
  set_timer(key, client);
  if (client.watch != EventLoop::Id::none && client.timer != EventLoop::Id::none) return true;
  drop(key);
  return false;
}

std::optional<std::uint64_t> StreamServer::who_gives_way() const noexcept {
  if (!limits_.displace) return std::nullopt;
  const auto since = [](const auto& entry) {
    return entry.second.output.empty() ? entry.second.since : std::numeric_limits<std::uint64_t>::max();
  };
  const auto first = std::ranges::min_element(clients_, {}, since);
  if (first == clients_.end() || !first->second.output.empty()) return std::nullopt;
  return first->first;
}

void StreamServer::pause_accepting() {
  loop_.change(listening_, 0);
  loop_.cancel(resume_);
  resume_ = loop_.after(kAcceptPause, [this] { loop_.change(listening_, EPOLLIN); });
}

void StreamServer::serve(std::uint64_t key, EventLoop::Events events) {
  const auto found = clients_.find(key);
  if (found == clients_.end()) return;
  Client& client = found->second;
  const bool writing = !client.output.empty();
  // While an answer waits, a hang-up means that nobody will read it.
  if (writing && (events & (EPOLLHUP | EPOLLERR)) != 0) return drop(key);

  auto progress = Progress::made;
  for (std::size_t step = 0; progress == Progress::made && step < kStepsPerTurn; ++step) {
    if (!client.output.empty()) {
      progress = write_some(client);
      continue;
    }
    progress = hand_over(client);
    if (progress == Progress::blocked) progress = read_some(client);
  }
  if (progress == Progress::over) return drop(key);

  const bool busy = !client.output.empty() || !client.session->is_idle();
  if (client.renew_timer) {
    client.since = ++last_since_;
    // It may give way from here on.
    if (limits_.displace && clients_.size() >= limits_.clients_max) loop_.change(listening_, EPOLLIN);
  }
  if (client.renew_timer || busy != client.busy) {
    client.busy = busy;
    set_timer(key, client);
  }
  // A client with work left comes back in the next turn: its socket is writable.
  const EventLoop::Events input = progress == Progress::made ? EPOLLIN | EPOLLOUT : EPOLLIN;
  loop_.change(client.watch, client.output.empty() ? input : EPOLLOUT);
}

// One read, then the session sees what is there. `made` at the end of the stream too: the session is told once.
StreamServer::Progress StreamServer::read_some(Client& client) {
  if (client.ended) return Progress::over;
  const auto kept = client.input.size();
  if (kept >= limits_.input_bytes) return Progress::over;  // the session takes none of it
  client.input.resize(limits_.input_bytes);
  const auto bytes = ::recv(client.socket.get(), client.input.data() + kept, limits_.input_bytes - kept, 0);
  client.input.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(bytes, 0)));
  if (bytes < 0) return would_block() || errno == EINTR ? Progress::blocked : Progress::over;
  client.ended = bytes == 0;
  return Progress::made;
}

StreamServer::Progress StreamServer::hand_over(Client& client) {
  if (client.closing) return Progress::over;
  if (client.input.empty() && !client.ended) return Progress::blocked;
  const auto step = client.session->take(view(client.input), client.ended, client.output);
  const auto consumed = std::min(step.consumed, client.input.size());
  const auto rest = client.input.size() - consumed;
  std::memmove(client.input.data(), client.input.data() + consumed, rest);
  explicit_bzero(client.input.data() + rest, consumed);  // the buffer lives as long as the connection, keys do not
  client.input.resize(rest);
  client.closing = step.close;
  if (consumed > 0 && client.session->is_idle()) client.renew_timer = true;
  if (!client.output.empty() || step.close || consumed > 0) return Progress::made;
  return client.ended ? Progress::over : Progress::blocked;
}

StreamServer::Progress StreamServer::write_some(Client& client) {
  const auto rest = view(client.output).substr(client.written);
  const auto bytes = ::send(client.socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
  if (bytes < 0) return would_block() || errno == EINTR ? Progress::blocked : Progress::over;
  client.written += static_cast<std::size_t>(bytes);
  if (client.written == client.output.size()) {
    client.output = SecretBuffer();  // an answer can be megabytes: give them back
    client.written = 0;
    client.renew_timer = true;
  }
  return Progress::made;
}

void StreamServer::set_timer(std::uint64_t key, Client& client) {
  loop_.cancel(client.timer);
  client.renew_timer = false;
  client.timer = loop_.after(client.busy ? limits_.stall : limits_.idle, [this, key] {
    ++timed_out_;
    drop(key);
  });
}

void StreamServer::drop(std::uint64_t key) {
  const auto found = clients_.find(key);
  if (found == clients_.end()) return;
  loop_.unwatch(found->second.watch);
  loop_.cancel(found->second.timer);
  const bool was_full = clients_.size() >= limits_.clients_max;
  clients_.erase(found);
  if (was_full) loop_.change(listening_, EPOLLIN);
}

}  // namespace fireline::io
