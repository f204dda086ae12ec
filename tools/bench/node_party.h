// One of the hosts of a NodeWorld, and what runs its node: private to that class.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/bench/node_world.h"
#include "tools/bench/thread_cost.h"

namespace fireline::bench {

struct NodeWorld::Party {
  std::string id;
  bool is_gateway = false;
  std::size_t index = 0;  // of a client
  crypto::Key private_key;
  crypto::PublicKey public_key;
  IpAddress v4;
  IpAddress v6;
  std::uint32_t tunnel = 0;
  std::unique_ptr<node::Node> node;
  std::unique_ptr<packet::Work> work;
  packet::Output output;
  std::vector<node::NodeEvent> events;
  std::optional<Instant> next;         // timeout
  Instant scheduled = Instant::max();  // the earliest entry among those that are due
};

template <class Call>
void NodeWorld::call(Party& party, Call&& input) {
  meter(party, [&] {
    input();
    while (party.node->step_handshake(now(), party.output)) {
    }
    while (auto event = party.node->poll_event()) party.events.push_back(std::move(*event));
    party.next = party.node->poll_timeout();
  });
  collect(party);
}

template <class Call>
void NodeWorld::meter(const Party& party, Call&& input) {
  if (!metered_ || !party.is_gateway) return input();
  ++calls_;
  const double start = thread_nanoseconds();
  input();
  cpu_nanoseconds_ += thread_nanoseconds() - start - clock_nanoseconds_;
}

template <class Batch>
void NodeWorld::run_turn(Party& party, Batch& batch) {
  packet::Work& work = *party.work;
  party.node->plan(now(), batch, work);
  work.kind == packet::Work::Kind::seal ? aead_->seal(work.jobs) : aead_->open(work.jobs);
  party.node->commit(now(), work, party.output);
}

}  // namespace fireline::bench
