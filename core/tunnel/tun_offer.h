// The client's TUN configuration as the host is offered it. What is new is offered at once. Routes that are gone are
// offered on for kRouteLossPatience, beside the new ones, and go if they are still gone then: a portal moves a resource
// by deleting it and creating it again, and without its route what is sent to it meanwhile leaves by the main table,
// unencrypted. What goes into the tunnel for a resource that is gone is dropped there.
//
// Sans-I/O: time is an argument. Lifetime: a value. Threads: one owner.
#pragma once
#include <chrono>
#include <optional>

#include "core/base/time.h"
#include "core/tunnel/latest_value.h"
#include "core/tunnel/tun_configuration.h"

namespace fireline::tunnel {

// From the last loss. More than the 200 ms behind which TCP repeats a lost segment at the earliest: the two messages of
// a move may come in two.
inline constexpr Duration kRouteLossPatience = std::chrono::milliseconds(300);

class TunOffer {
 public:
  // Replaces what waits.
  void set(Instant now, TunConfiguration wanted);

  [[nodiscard]] std::optional<Instant> poll_timeout() const noexcept;
  void handle_timeout(Instant now);

  // As LatestValue's.
  [[nodiscard]] bool poll_announcement() noexcept { return offered_.poll_announcement(); }
  [[nodiscard]] std::optional<TunConfiguration> take() { return offered_.take(); }

 private:
  LatestValue<TunConfiguration> offered_;
  std::optional<TunConfiguration> waiting_;
  Instant due_{};  // while one waits
};

}  // namespace fireline::tunnel
