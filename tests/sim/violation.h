// An invariant that did not hold. Thrown by what drives the simulation, never through code under test.
#pragma once
#include <string>

#include "core/base/time.h"

namespace fireline::sim {

struct Violation {
  std::string invariant;  // a short name
  std::string text;
  Instant time{};
};

}  // namespace fireline::sim
