// Writes answers and sends them through the host, one by one in one piece of memory. Attributes in the order of the
// relay specification section 1.3. Answers to requests that are not authenticated obey AnswerLimiter and a bound on
// their length; one that is too long goes without SOFTWARE, then without reason phrase, then not at all.
// Threads: one owner.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/counters.h"
#include "core/base/endpoint.h"
#include "core/stun/header.h"
#include "core/stun/integrity.h"
#include "relay/protocol/answer_limiter.h"
#include "relay/protocol/host.h"
#include "relay/protocol/nonce_table.h"
#include "relay/protocol/server_counters.h"

namespace fireline::relay {

// The request that is answered.
struct Question {
  Endpoint client;
  stun::Header header;
  std::size_t bytes = 0;  // of the datagram's payload

  [[nodiscard]] std::uint16_t method() const noexcept { return static_cast<std::uint16_t>(header.method); }
};

struct Answer {
  std::uint16_t error_code = 0;            // 0: success
  std::optional<stun::LongTermKey> key{};  // signs it
  std::optional<Nonce> nonce{};            // with the realm: 401 and 438
  std::optional<Endpoint> first_relayed{};
  std::optional<Endpoint> second_relayed{};
  std::optional<Endpoint> mapped{};
  std::optional<std::uint32_t> lifetime_seconds{};
};

class Responder {
 public:
  Responder(std::string software, std::string realm, const Limits& limits, Host& host,
            Counters<ServerCounter>& counters, ResponseCounters& responses, crypto::Random& random)
      : software_(std::move(software)),
        realm_(std::move(realm)),
        ratio_tenths_(limits.answer_ratio_tenths),
        host_(host),
        counters_(counters),
        responses_(responses),
        limiter_(limits, random) {}

  // To be asked before anything is done or remembered for an answer to who is not authenticated. False: counted.
  [[nodiscard]] bool may_answer_unauthenticated(Instant now, const Endpoint& client);
  void send_unauthenticated(const Question& question, const Answer& answer);
  void send(const Question& question, const Answer& answer);

  [[nodiscard]] std::size_t sources() const noexcept { return limiter_.sources(); }

 private:
  [[nodiscard]] ConstBytes write(const Question& question, const Answer& answer, bool software, bool reason);
  void transmit(const Question& question, const Answer& answer, ConstBytes message);

  // The texts are the longest parts: SOFTWARE and REALM of 127 characters with up to 4 bytes each, a reason phrase and
  // the nonce; the rest stays below 200 bytes.
  static constexpr std::size_t kAnswerBytesMax = 2 * 512 + 128 + 256;

  std::string software_;
  std::string realm_;
  std::uint32_t ratio_tenths_;
  Host& host_;
  Counters<ServerCounter>& counters_;
  ResponseCounters& responses_;
  AnswerLimiter limiter_;
  std::array<std::byte, kAnswerBytesMax> buffer_{};
};

}  // namespace fireline::relay
