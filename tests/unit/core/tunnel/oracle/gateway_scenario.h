// A story of grants and packets out of bytes: rapidcheck makes them for the property test, libFuzzer for the fuzz
// target. What the gateway does with each packet is compared with the oracle. Missing bytes are zeros.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace fireline::tunnel::oracle {

// What a run was made of, to show that the stories are about something.
struct ScenarioCounts {
  std::uint64_t packets = 0;
  std::uint64_t forwarded = 0;
  std::uint64_t answered = 0;
  std::uint64_t expired = 0;
  std::uint64_t remembered = 0;  // packets that repeat the one before
};

// The first difference, told as the steps that led to it; empty when there is none.
[[nodiscard]] std::optional<std::string> run_gateway_scenario(std::span<const std::uint8_t> choices,
                                                              ScenarioCounts& counts);

}  // namespace fireline::tunnel::oracle
