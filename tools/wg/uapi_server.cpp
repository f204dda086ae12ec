#include "tools/wg/uapi_server.h"

#include <fmt/format.h>
#include <net/if.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>

#include "tools/common/line_server.h"

namespace fireline::wg {
namespace {

constexpr mode_t kSocketMode = 0600;  // it gives and takes private keys

std::uint32_t interface_index(std::string_view name) {
  return if_nametoindex(std::string(name).c_str());
}

}  // namespace

UapiSession::UapiSession(WgBackend& backend) noexcept : backend_(backend), parser_(&interface_index) {}

io::StreamSession::Step UapiSession::take(std::string_view input, bool ended, io::SecretBuffer& output) {
  Step total;
  // One answer at a time: what follows waits until the client has read it.
  while (!total.close && output.empty()) {
    const auto rest = input.substr(total.consumed);
    const auto newline = rest.find('\n');
    // Judged by its length alone, so that it does not matter in how many pieces a line arrives.
    if (std::min(newline, rest.size()) > kUapiLineBytesMax) return refuse(EPROTO, "a line is too long", output);
    if (newline == std::string_view::npos) {
      if (ended && (!rest.empty() || state_ != State::operation)) {
        return refuse(EPROTO, "the connection ended within a request", output);
      }
      break;
    }
    total.close = take_line(rest.substr(0, newline), output).close;
    total.consumed += newline + 1;
  }
  return total;
}

io::StreamSession::Step UapiSession::take_line(std::string_view line, io::SecretBuffer& output) {
  switch (state_) {
    case State::operation:
      if (line == "get=1") {
        state_ = State::get;
      } else if (line == "set=1") {
        state_ = State::set;
      } else {
        return refuse(EPROTO, "a request begins with neither get=1 nor set=1", output);
      }
      break;
    case State::get:
      if (!line.empty()) return refuse(EINVAL, "get=1 takes no further lines", output);
      answer_get(output);
      break;
    case State::set:
      if (line.empty()) {
        answer_set(output);
      } else {
        parser_.feed(line);
      }
      break;
  }
  return {};
}

void UapiSession::answer_get(io::SecretBuffer& output) {
  state_ = State::operation;
  append_uapi_status(output, backend_.status());
  append_uapi_errno(output, 0);
}

void UapiSession::answer_set(io::SecretBuffer& output) {
  state_ = State::operation;
  const auto update = parser_.finish();
  auto error = update ? backend_.apply(*update) : std::optional(update.error());
  if (error) spdlog::warn("configuration refused: {}", error->sentence);
  append_uapi_errno(output, error ? error->code : 0);
}

io::StreamSession::Step UapiSession::refuse(int code, std::string_view sentence, io::SecretBuffer& output) {
  spdlog::warn("configuration connection closed: {}", sentence);
  append_uapi_errno(output, code);
  return {.consumed = 0, .close = true};
}

Result<std::unique_ptr<UapiServer>, std::string> UapiServer::start(io::EventLoop& loop, WgBackend& backend,
                                                                   const std::string& interface_name,
                                                                   std::move_only_function<void()> removed,
                                                                   const std::string& directory,
                                                                   io::StreamLimits limits) {
  const auto path = socket_path(directory, interface_name);
  auto listener = io::UnixListener::listen(path, kSocketMode);
  if (!listener) return err(explain_socket_error(path, listener.error()));
  std::unique_ptr<UapiServer> server(new UapiServer(std::move(*listener)));
  auto watch = io::FileWatch::make(
      loop, directory, [self = server.get()] { return self->listener_.is_in_place(); }, std::move(removed));
  if (!watch) return err(fmt::format("cannot watch {}: {}", directory, watch.error().message()));
  server->watch_ = std::move(*watch);
  server->server_ = std::make_unique<io::StreamServer>(loop, server->listener_.fd(), limits,
                                                       [&backend] { return std::make_unique<UapiSession>(backend); });
  if (!server->server_->is_serving()) return err(fmt::format("cannot serve {}: too many descriptors", path));
  return server;
}

std::string socket_path(const std::string& directory, const std::string& interface_name) {
  return fmt::format("{}/{}.sock", directory, interface_name);
}

}  // namespace fireline::wg
