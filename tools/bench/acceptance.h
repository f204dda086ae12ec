// The thresholds that a fireline candidate has to reach, judged on the medians of one block. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tools/bench/results.h"

namespace fireline::bench {

enum class Verdict : std::uint8_t { pass, fail, not_judged };

struct Judgement {
  Verdict verdict = Verdict::not_judged;
  std::string rule;    // "TCP 1 stream >= 55 % of forwarder"
  std::string figure;  // "61 % (6.10 of 10.02)"; for not_judged the reason
};

// One judgement per threshold, always the same number in the same order: fireline-wg against the forwarder, a node
// against fireline-wg, a relayed node against the direct one.
[[nodiscard]] std::vector<Judgement> judge(const Block& block, const Series& series);

}  // namespace fireline::bench
