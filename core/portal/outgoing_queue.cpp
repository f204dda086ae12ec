#include "core/portal/outgoing_queue.h"

#include <utility>

namespace fireline::portal {

bool OutgoingQueue::holds(std::string_view event, std::string_view payload) const noexcept {
  for (auto message = messages_.rbegin(); message != messages_.rend() && message->event == event; ++message) {
    if (message->payload.view() == payload) return true;
  }
  return false;
}

std::size_t OutgoingQueue::push(Message message, std::size_t most) {
  const std::size_t displaced = messages_.size() > most ? clear() : 0;
  messages_.push_back(std::move(message));
  return displaced;
}

std::size_t OutgoingQueue::clear() {
  return std::exchange(messages_, {}).size();
}

}  // namespace fireline::portal
