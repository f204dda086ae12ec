#include "core/turn/request.h"

#include <algorithm>
#include <cstdlib>

namespace fireline::turn {
void Requests::add(Instant now, Request request) {
  if (request.kind == RequestKind::channel_bind) {
    if (!room_for_bind()) std::abort();
    ++binds_;
  }
  request.id = new_id();
  request.first_sent = now;
  if (!request.suspicion) request.budget = request.kind == RequestKind::probe ? kProbeGiveUpAfter : kGiveUpAfter;
  request.timeout = request.suspicion ? request.budget / 2 : std::min(kFirstTimeout, request.budget);
  request.due = now + request.timeout;
  request.nonce_sent = false;
  request.retransmitted = false;
  request.to_send = true;
  requests_.push_back(request);
  ++unsent_;
}

const Request* Requests::find(const stun::TransactionId& id) const noexcept {
  const auto found = std::ranges::find(requests_, id, &Request::id);
  return found == requests_.end() ? nullptr : &*found;
}

Request Requests::take(const Request& request) {
  return take_at(static_cast<std::size_t>(&request - requests_.data()));
}

const Request* Requests::next_unsent(bool has_nonce) noexcept {
  if (unsent_ == 0) return nullptr;
  const auto found = std::ranges::find(requests_, true, &Request::to_send);
  if (found == requests_.end()) std::abort();  // unsent_ counts them
  found->to_send = false;
  found->nonce_sent = has_nonce && found->kind != RequestKind::binding;
  --unsent_;
  return &*found;
}

std::optional<Instant> Requests::next_due() const noexcept {
  const auto earliest = std::ranges::min_element(requests_, {}, &Request::due);
  if (earliest == requests_.end()) return std::nullopt;
  return earliest->due;
}

std::optional<Request> Requests::handle_due(Instant now) {
  for (std::size_t position = 0; position < requests_.size(); ++position) {
    Request& request = requests_[position];
    if (now < request.due) continue;
    // A late turn takes neither a suspicion's second datagram nor the time to read the answer that may wait.
    const bool is_owed_another = request.suspicion && !request.retransmitted;
    if (!is_owed_another && now - request.first_sent >= request.budget) return take_at(position);

    request.timeout += request.timeout / 2;
    request.due = now + request.timeout;
    if (request.suspicion) request.due = std::max(now + request.budget / 2, request.first_sent + request.budget);
    if (request.kind != RequestKind::binding && !request.suspicion) request.id = new_id();
    request.retransmitted = true;
    if (!request.to_send) ++unsent_;
    request.to_send = true;
  }
  return std::nullopt;
}

bool Requests::has(RequestKind kind) const noexcept {
  return std::ranges::find(requests_, kind, &Request::kind) != requests_.end();
}

bool Requests::has_binding(Family server) const noexcept {
  return std::ranges::any_of(requests_, [server](const Request& request) {
    return request.kind == RequestKind::binding && request.server == server;
  });
}

void Requests::clear() noexcept {
  requests_.clear();
  unsent_ = 0;
  binds_ = 0;
}

void Requests::clear_authenticated() noexcept {
  std::erase_if(requests_, [](const Request& request) { return request.kind != RequestKind::binding; });
  unsent_ = static_cast<std::size_t>(std::ranges::count(requests_, true, &Request::to_send));
  binds_ = 0;
}

Request Requests::take_at(std::size_t position) {
  const Request taken = requests_[position];
  if (taken.to_send) --unsent_;
  if (taken.kind == RequestKind::channel_bind) --binds_;
  requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(position));
  return taken;
}

stun::TransactionId Requests::new_id() noexcept {
  stun::TransactionId id;
  random_.fill(id);
  return id;
}

}  // namespace fireline::turn
