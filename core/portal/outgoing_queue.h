// Messages that wait for a joined channel, in order. Source: portal specification 1.12, lesson 7.
// Lifetime: owned by a Channel. Threads: one owner. Limit: kWaitingMax. Payloads wipe themselves.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "core/crypto/secret_text.h"

namespace fireline::portal {

// When more wait and another one comes, all of them are out of date: the portal is away.
inline constexpr std::size_t kWaitingMax = 32;

class OutgoingQueue {
 public:
  struct Message {
    std::string event;
    crypto::SecretText payload;
    std::uint64_t ref = 0;
  };

  // Whether an equal message waits already, with nothing but messages of its event behind it: those neither depend on
  // each other's order nor need to be said twice. Adding, invalidating and adding a candidate again are three messages.
  [[nodiscard]] bool holds(std::string_view event, std::string_view payload) const noexcept;
  // How many others it displaced.
  std::size_t push(Message message);

  [[nodiscard]] bool empty() const noexcept { return messages_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return messages_.size(); }
  [[nodiscard]] const Message& front() const noexcept { return messages_.front(); }
  void pop() { messages_.pop_front(); }
  std::size_t clear();

 private:
  std::deque<Message> messages_;
};

}  // namespace fireline::portal
