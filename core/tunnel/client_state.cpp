#include "core/tunnel/client_state.h"

#include <algorithm>
#include <utility>

namespace fireline::tunnel {
namespace {

// Gateways of an account; the node's own limit is a gateway's, with its clients.
constexpr std::size_t kGatewaysMax = 1024;

node::NodeOptions node_options(const ClientOptions& options, wireguard::InnerPolicy& policy) {
  node::NodeOptions result = options.node;
  result.role = node::NodeRole::client;
  result.connections_max = std::min(result.connections_max, kGatewaysMax);
  result.policy = &policy;
  return result;
}

}  // namespace

ClientState::ClientState(const ClientOptions& client_options, const crypto::Key& private_key, Now start,
                         packet::BufferSource& large, packet::BufferSource& small, crypto::Random& random,
                         crypto::Aead& owner_aead)
    : options(client_options),
      aead(owner_aead),
      pending(client_options.pending_bytes_max, counters),
      node(node_options(client_options, *this), private_key, start, large, small, random, owner_aead),
      work(node.make_work()) {
  resources.set_internet_enabled(client_options.internet_enabled);
}

void ClientState::tell(ClientEvent event) {
  if (events.size() == kClientEventsMax) {
    events.pop_front();
    counters.add(ClientCounter::lost_events);
  }
  events.push_back(std::move(event));
}

}  // namespace fireline::tunnel
