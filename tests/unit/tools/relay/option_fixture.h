// The command line of fireline-relay in an environment that holds none of its variables.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tools/relay/options.h"

namespace fireline::relay {

class RelayOptionsTest : public ::testing::Test {
 protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }
  static void clear() {
    for (const char* name : {"FIREZONE_TOKEN",
                             "FIREZONE_NAME",
                             "FIREZONE_API_URL",
                             "PUBLIC_IP4_ADDR",
                             "PUBLIC_IP6_ADDR",
                             "LISTEN_PORT",
                             "LOWEST_PORT",
                             "HIGHEST_PORT",
                             "RNG_SEED",
                             "LOG_FORMAT",
                             "OTLP_GRPC_ENDPOINT",
                             "GOOGLE_CLOUD_PROJECT_ID",
                             "LISTEN_ADDRESS_DISCOVERY_METHOD",
                             "EBPF_OFFLOADING",
                             "EBPF_ATTACH_MODE",
                             "EBPF_INT4_ADDR",
                             "EBPF_INT6_ADDR",
                             "HEALTH_CHECK_ADDR",
                             "CONTROL_ENDPOINT",
                             "FIREZONE_TELEMETRY",
                             "RUST_LOG",
                             "BIND_IP4_ADDR",
                             "BIND_IP6_ADDR",
                             "NUM_WORKER_THREADS",
                             "FIRELINE_RELAY_TOKEN_FILE",
                             "FIRELINE_CA_FILE",
                             "MAX_PARTITION_TIME",
                             "CREDENTIALS_DIRECTORY",
                             "FIRELINE_RELAY_SECRET_FILE"}) {
      unsetenv(name);
    }
  }
  static Result<RelayOptions, EarlyExit> parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "fireline-relay");
    return parse_relay_options(static_cast<int>(arguments.size()), arguments.data());
  }
  // What a person reads whose command line is refused: one sentence.
  static std::string refusal_of(const std::vector<const char*>& arguments) {
    const auto options = parse(arguments);
    EXPECT_FALSE(options);
    if (options) return "accepted";
    EXPECT_EQ(options.error().code, 1);
    EXPECT_EQ(options.error().text.find('\n'), std::string::npos) << "one sentence";
    return options.error().text;
  }
};

}  // namespace fireline::relay
