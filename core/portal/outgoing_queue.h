// Messages that wait for a joined channel, in order. Source: portal specification 1.12, lesson 7.
// Lifetime: owned by a Channel. Threads: one owner. Limits: kWaitingMax, kBurstMax. Payloads wipe themselves.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "core/crypto/secret_text.h"

namespace fireline::portal {

// When more wait for a channel and another one comes, all of them are out of date: the portal is away.
inline constexpr std::size_t kWaitingMax = 32;
// While it is joined the socket takes one after the other, and one event may lead to a message for each connection.
inline constexpr std::size_t kBurstMax = 4096;

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
  // How many others it displaced: all, when more than `most` waited.
  std::size_t push(Message message, std::size_t most);

  [[nodiscard]] bool empty() const noexcept { return messages_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return messages_.size(); }
  [[nodiscard]] const Message& front() const noexcept { return messages_.front(); }
  void pop() { messages_.pop_front(); }
  std::size_t clear();

 private:
  std::deque<Message> messages_;
};

}  // namespace fireline::portal
