// Variables of the environment for a scope: nothing of ours is there but what is given; what was there before comes
// back. Threads: none but the test's.
#pragma once
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

namespace fireline::test {

using Variables = std::vector<std::pair<std::string, std::string>>;

class ScopedEnvironment {
 public:
  explicit ScopedEnvironment(const Variables& given) {
    std::vector<std::string> ours;
    for (char** entry = ::environ; *entry != nullptr; ++entry) {
      const std::string word(*entry);
      const auto name = word.substr(0, word.find('='));
      if (is_ours(name)) ours.push_back(name);
    }
    for (const auto& name : ours) {
      before_.emplace_back(name, std::getenv(name.c_str()));
      ::unsetenv(name.c_str());
    }
    for (const auto& [name, value] : given) {
      given_.push_back(name);
      ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
  ~ScopedEnvironment() {
    for (const auto& name : given_) ::unsetenv(name.c_str());
    for (const auto& [name, value] : before_) ::setenv(name.c_str(), value.c_str(), 1);
  }
  ScopedEnvironment(const ScopedEnvironment&) = delete;
  ScopedEnvironment& operator=(const ScopedEnvironment&) = delete;

 private:
  static bool is_ours(const std::string& name) {
    return name.starts_with("FIREZONE_") || name.starts_with("FIRELINE_") || name.starts_with("FZFF_") ||
           name == "RUST_LOG" || name == "LOG_DIR" || name == "MAX_PARTITION_TIME" || name == "HEALTH_CHECK_ADDR" ||
           name == "OTLP_GRPC_ENDPOINT";
  }

  Variables before_;
  std::vector<std::string> given_;
};

}  // namespace fireline::test
