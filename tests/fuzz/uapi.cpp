// Any bytes over a configuration connection: a request means the same in one piece and byte by byte, an update exists
// only within the limits, and a report is whole lines.
// libraries: fireline_wg_tool
// covers: tools/wg/uapi.cpp tools/wg/uapi.h
#include "tools/wg/uapi.h"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "tests/unit/tools/wg/fake_backend.h"
#include "tools/wg/uapi_server.h"

using namespace fireline;
using namespace fireline::wg;

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

std::uint32_t fake_scope(std::string_view name) {
  return name.size() % 5 == 4 ? 7 : 0;
}

// Feeds the session as the stream server does, `piece` bytes at a time.
std::string converse(std::string_view input, std::size_t piece, FakeBackend& backend) {
  UapiSession session(backend);
  std::string answers;
  std::string waiting;
  bool closed = false;
  while (!closed && !(input.empty() && waiting.empty())) {
    waiting += input.substr(0, piece);
    input.remove_prefix(std::min(piece, input.size()));
    std::size_t consumed = 0;
    do {
      io::SecretBuffer output;
      const auto step = session.take(waiting, input.empty(), output);
      require(step.consumed <= waiting.size());
      answers += io::view(output);
      consumed = step.consumed;
      closed = step.close;
      waiting.erase(0, consumed);
    } while (consumed > 0 && !closed);
    if (input.empty()) break;
  }
  return answers;
}

void check_update(std::string_view body) {
  const auto update = parse_uapi_set(body, fake_scope);
  if (!update) {
    require(update.error().code == EPROTO || update.error().code == EINVAL);
    require(!update.error().sentence.empty());
    return;
  }
  require(update->peers.size() <= kUapiPeersMax);
  std::size_t allowed_ips = 0;
  for (const auto& peer : update->peers) {
    allowed_ips += peer.allowed_ips.size();
    for (const auto& [prefix, remove] : peer.allowed_ips) require(prefix.length() <= prefix.address().bits());
  }
  require(allowed_ips <= kUapiAllowedIpsMax);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  spdlog::set_level(spdlog::level::off);
  const std::string input(data, data + size);
  FakeBackend whole;
  FakeBackend bytewise;
  require(converse(input, input.size() + 1, whole) == converse(input, 1, bytewise));
  require(whole.applied == bytewise.applied);
  check_update(input);
  // Every report is whole lines.
  io::SecretBuffer report;
  append_uapi_status(report, whole.interface);
  require(report.empty() || io::view(report).ends_with('\n'));
  return 0;
}
