// Connections that ended within the last seconds, as STUN names them, so that their late messages are told from
// messages that never meant us. Lifetime: value. Threads: one owner. Limits: kStragglersMax, then the oldest goes.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "core/ice/addressee.h"
#include "core/node/connection_table.h"
#include "core/node/node_options.h"

namespace fireline::node {

inline constexpr std::size_t kStragglersMax = 64;  // a burst of ends; counting apart is a courtesy, not a rule

class Stragglers {
 public:
  void ended(Instant now, const Connection& connection) noexcept {
    const auto& parameters = connection.parameters;
    ring_[next_] = {.until = now + kStragglerTime,
                    .tag = connection.agent.settings().tag,
                    .fragments = ConnectionTable::hash_of(parameters.local.ufrag(), parameters.remote.ufrag())};
    next_ = (next_ + 1) % ring_.size();
  }
  [[nodiscard]] bool has_tag(Instant now, ice::AgentTag tag) const noexcept {
    return std::ranges::any_of(ring_, [&](const Entry& e) { return now < e.until && e.tag == tag; });
  }
  [[nodiscard]] bool has_fragments(Instant now, std::string_view local, std::string_view remote) const noexcept {
    const std::size_t hash = ConnectionTable::hash_of(local, remote);
    return std::ranges::any_of(ring_, [&](const Entry& e) { return now < e.until && e.fragments == hash; });
  }

 private:
  struct Entry {
    Instant until = Instant::min();
    ice::AgentTag tag = 0;
    std::size_t fragments = 0;
  };
  std::array<Entry, kStragglersMax> ring_;
  std::size_t next_ = 0;
};

}  // namespace fireline::node
