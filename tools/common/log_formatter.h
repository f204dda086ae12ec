// How the programs write a log line: text for a person or one JSON object.
//   2025-11-19T10:11:12.345Z  INFO wg0: the interface is up
//   {"timestamp":"2025-11-19T10:11:12.345678Z","level":"INFO","message":"the interface is up","target":"wg0"}
// The target is the logger's name. A line stays one line whatever it quotes, and text has no control
// characters: names come from the portal and from policies. Any thread.
#pragma once
#include <cstdint>
#include <memory>

namespace spdlog {
class formatter;
}

namespace fireline {

enum class LogFormat : std::uint8_t { text, json };

[[nodiscard]] std::unique_ptr<spdlog::formatter> make_log_formatter(LogFormat format);

}  // namespace fireline
