#include "tools/tunnel/ignored_messages.h"

#include <spdlog/spdlog.h>

#include <atomic>

namespace fireline::tunnel {
namespace {

constexpr std::size_t kEventCharactersMax = 64;  // of the portal's word in a line of ours
constexpr std::uint64_t kLinesMax = 20;

std::atomic<std::uint64_t> ignored{0};

}  // namespace

void ignore_message(std::string_view event, portal::MessageError error) {
  using portal::MessageError;
  const std::uint64_t number = ++ignored;
  if (number > kLinesMax) return;
  const bool unknown = error == MessageError::unknown_event || error == MessageError::unsupported;
  spdlog::log(unknown ? spdlog::level::info : spdlog::level::warn, "the portal's message \"{}\" is ignored: {}{}",
              event.substr(0, kEventCharactersMax), portal::name_of(error),
              number == kLinesMax ? "; further ones are counted alone" : "");
}

std::uint64_t ignored_messages() noexcept {
  return ignored.load();
}

}  // namespace fireline::tunnel
