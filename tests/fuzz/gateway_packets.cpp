// Grants and packets of a gateway, decrypted ones and ones from the TUN, against the oracle of the property test.
// libraries: fireline_gateway_oracle
// covers: core/tunnel/gateway_packets.cpp core/tunnel/client_access.cpp core/tunnel/internet_destinations.cpp
// covers: core/policy/filter_table.cpp core/policy/filter_set.cpp
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/unit/core/tunnel/oracle/gateway_scenario.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fireline::tunnel::oracle::ScenarioCounts counts;
  const auto difference = fireline::tunnel::oracle::run_gateway_scenario({data, size}, counts);
  if (difference) {
    std::fputs(difference->c_str(), stderr);
    std::abort();
  }
  return 0;
}
