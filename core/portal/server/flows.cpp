#include "core/portal/server/flows.h"

#include <array>
#include <utility>

#include "core/crypto/sha256.h"

namespace fireline::portal {

std::optional<std::string> FlowTable::add(Instant now, crypto::Random& random, PendingFlow flow) {
  expire(now);
  if (flows_.size() >= kFlowsMax) return std::nullopt;
  std::size_t& count = of_client_[flow.client];
  if (count >= kFlowsClientMax) return std::nullopt;
  ++count;
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

void FlowTable::erase(std::unordered_map<std::string, Entry>::iterator entry) {
  const auto count = of_client_.find(entry->second.flow.client);
  if (--count->second == 0) of_client_.erase(count);
  flows_.erase(entry);
}

}  // namespace fireline::portal
