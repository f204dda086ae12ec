// Failed logins of one source in one window of time. Tokens have 256 bits and cannot be guessed; this keeps a source
// that tries from costing look-ups and log lines. Sources that reach the limit are told to come back (503): behind the
// same NAT may be programs with a good token, and a 4xx would end them.
// Lifetime: a value. Threads: one. Limits: kLoginFailuresMax in kLoginWindow; kLoginSourcesMax, above which the source
// that failed longest ago is forgotten. IPv6 sources count by their /64.
#pragma once
#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>

#include "core/base/endpoint.h"
#include "core/base/time.h"

namespace fireline::portal {

// A misconfigured program under a supervisor that restarts it every second stays below; ten such hosts behind one NAT
// do not.
inline constexpr std::uint32_t kLoginFailuresMax = 60;
inline constexpr Duration kLoginWindow = std::chrono::minutes(1);
inline constexpr std::size_t kLoginSourcesMax = 4096;

class LoginLimiter {
 public:
  [[nodiscard]] bool may_try(Instant now, const IpAddress& source) const;
  void failed(Instant now, const IpAddress& source);
  [[nodiscard]] std::size_t sources() const noexcept { return sources_.size(); }

 private:
  struct Source {
    IpAddress address;
    Instant window_begin;
    std::uint32_t failures = 0;
  };
  // From the one whose last failure is oldest to the newest.
  std::list<Source> by_age_;
  std::unordered_map<IpAddress, std::list<Source>::iterator> sources_;
};

}  // namespace fireline::portal
