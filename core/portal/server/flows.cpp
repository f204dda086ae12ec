#include "core/portal/server/flows.h"

#include <array>
#include <iterator>
#include <utility>

#include "core/crypto/sha256.h"

namespace fireline::portal {
namespace {

template <class Key>
std::size_t count_of(const std::unordered_map<Key, std::size_t>& counts, const Key& key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

template <class Key>
void count_down(std::unordered_map<Key, std::size_t>& counts, const Key& key) {
  const auto count = counts.find(key);
  if (--count->second == 0) counts.erase(count);
}

}  // namespace

bool FlowTable::waits(Instant now, ConnectionId client, ConnectionId gateway, const Uuid& resource) const {
  const auto asked = asked_last_.find({.client = client, .gateway = gateway, .resource = resource});
  return asked != asked_last_.end() && now - asked->second < kFlowRepeat;
}

std::optional<std::string> FlowTable::add(Instant now, crypto::Random& random, PendingFlow flow) {
  expire(now);
  if (flows_.size() >= kFlowsMax || count_of(of_client_, flow.client) >= kFlowsClientMax ||
      count_of(of_actor_, flow.actor) >= kFlowsActorMax || count_of(of_gateway_, flow.gateway) >= kFlowsGatewayMax) {
    return std::nullopt;
  }
  ++of_client_[flow.client];
  ++of_actor_[flow.actor];
  ++of_gateway_[flow.gateway];
  asked_last_[question_of(flow)] = now;
  std::array<std::byte, 16> bytes;
  random.fill(bytes);
  std::string ref = crypto::base64_unpadded(bytes);
  by_age_.emplace_back(now, ref);
  flows_.emplace(ref, Entry{.flow = std::move(flow), .asked = now});
  return ref;
}

std::optional<PendingFlow> FlowTable::take(ConnectionId gateway, const std::string& ref) {
  const auto found = flows_.find(ref);
  if (found == flows_.end() || found->second.flow.gateway != gateway) return std::nullopt;
  std::optional<PendingFlow> flow(std::move(found->second.flow));
  erase(found);
  return flow;
}

void FlowTable::expire(Instant now) {
  while (!by_age_.empty() && now - by_age_.front().first >= kFlowPatience) {
    if (const auto found = flows_.find(by_age_.front().second); found != flows_.end()) erase(found);
    by_age_.pop_front();
  }
}

void FlowTable::gateway_closed(ConnectionId gateway) {
  if (!of_gateway_.contains(gateway)) return;
  for (auto flow = flows_.begin(); flow != flows_.end();) {
    const auto next = std::next(flow);
    if (flow->second.flow.gateway == gateway) erase(flow);
    flow = next;
  }
}

FlowTable::Question FlowTable::question_of(const PendingFlow& flow) noexcept {
  return {.client = flow.client, .gateway = flow.gateway, .resource = flow.answer.resource};
}

void FlowTable::erase(std::unordered_map<std::string, Entry>::iterator entry) {
  const PendingFlow& flow = entry->second.flow;
  count_down(of_client_, flow.client);
  count_down(of_actor_, flow.actor);
  count_down(of_gateway_, flow.gateway);
  asked_last_.erase(question_of(flow));
  flows_.erase(entry);
}

}  // namespace fireline::portal
