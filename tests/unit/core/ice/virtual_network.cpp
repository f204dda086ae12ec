#include "tests/unit/core/ice/virtual_network.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/stun/integrity.h"
#include "core/stun/message_writer.h"

namespace fireline::ice {

CandidateText announced(const Candidate& candidate, std::string_view ufrag) {
  CandidateText text;
  text.foundation = "1";
  text.component = 1;
  text.candidate = candidate;
  text.candidate.base = candidate.address;
  text.candidate.crosses_families = false;
  text.ufrag = ufrag;
  return text;
}

void ScriptedRandom::fill(Bytes bytes) noexcept {
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    std::uint64_t word = 0;
    if (next_ < script_.size()) {
      word = script_[next_++];
    } else {
      state_ += 0x9E3779B97F4A7C15;  // splitmix64
      word = state_;
      word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9;
      word = (word ^ (word >> 27)) * 0x94D049BB133111EB;
      word ^= word >> 31;
    }
    std::array<std::byte, 8> word_bytes;
    store_be64(word_bytes, 0, word);
    std::copy_n(word_bytes.begin(), std::min<std::size_t>(8, bytes.size() - i),
                bytes.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

AgentSettings client_settings() {
  return {Role::controlling, *Credentials::make("llqe", "jio6xwffz6i3ixgub3h4n5"),
          *Credentials::make("nk46", "yiuijlligg2km2kweghata"), 0x01020304};
}

AgentSettings gateway_settings() {
  return {Role::controlled, *Credentials::make("nk46", "yiuijlligg2km2kweghata"),
          *Credentials::make("llqe", "jio6xwffz6i3ixgub3h4n5"), 0x0A0B0C0D};
}

std::vector<std::byte> write_request(const RequestOptions& options) {
  std::array<std::byte, kTransmitBytesMax> out;
  stun::MessageWriter writer(out, options.message_class, options.method, options.id);
  if (!options.username.empty()) writer.add_text(stun::Attribute::username, options.username);
  if (options.unknown_attributes) {
    writer.add_text(static_cast<stun::Attribute>(0x7FF0), "?");
    writer.add_text(static_cast<stun::Attribute>(0xC057), "????");
  }
  if (options.priority) writer.add_u32(stun::Attribute::priority, 1862270719);
  if (options.use_candidate) writer.add_flag(stun::Attribute::use_candidate);
  if (options.integrity) writer.add_integrity(stun::short_term_key(options.password));
  const auto message = writer.message();
  return {message.begin(), message.end()};
}

std::vector<Sent> Side::drain(Instant now) {
  std::vector<Sent> result;
  std::array<std::byte, kTransmitBytesMax> out;
  while (const auto transmit = agent.poll_transmit(out)) {
    Sent one{now, *transmit, {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(transmit->bytes)}};
    one.is_request = one.view().message_class() == stun::MessageClass::request;
    one.nominates = one.view().has(stun::Attribute::use_candidate);
    result.push_back(one);
    sent.push_back(std::move(one));
  }
  while (const auto event = agent.poll_event()) events.push_back(*event);
  return result;
}

std::vector<Path> Side::paths() const {
  std::vector<Path> result;
  for (const auto& event : events) {
    if (event.kind == AgentEvent::Kind::path_changed) result.push_back(event.path);
  }
  return result;
}

std::vector<AgentState> Side::states() const {
  std::vector<AgentState> result;
  for (const auto& event : events) {
    if (event.kind == AgentEvent::Kind::state_changed) result.push_back(event.state);
  }
  return result;
}

bool Side::uses(std::string_view source, std::string_view destination) const {
  const auto path = agent.path();
  return path && path->source == at(source) && path->destination == at(destination);
}

VirtualNetwork::VirtualNetwork() : client(client_settings(), 1), gateway(gateway_settings(), 2) {}

void VirtualNetwork::add(Side& side, std::initializer_list<Candidate> candidates) {
  Side& other = &side == &client ? gateway : client;
  for (const auto& candidate : candidates) {
    const auto signal = side.agent.add_local(now_, candidate);
    settle(side);
    if (!signal) continue;
    other.agent.add_remote(now_, announced(*signal));
    settle(other);
  }
}

void VirtualNetwork::add_silently(Side& side, std::initializer_list<Candidate> candidates) {
  for (const auto& candidate : candidates) side.agent.add_local(now_, candidate);
  settle(side);
}

void VirtualNetwork::withdraw(Side& side, const Candidate& candidate) {
  Side& other = &side == &client ? gateway : client;
  const auto signal = side.agent.invalidate_local(now_, candidate);
  settle(side);
  if (!signal) return;
  other.agent.invalidate_remote(now_, announced(*signal).candidate);
  settle(other);
}

void VirtualNetwork::set_timing(Pace pace) {
  for (Side* const side : {&client, &gateway}) {
    side->agent.set_timing(now_, pace);
    settle(*side);
  }
}

void VirtualNetwork::run_for(Duration duration) {
  constexpr int kSteps = 1'000'000;
  const Instant end = now_ + duration;
  for (int step = 0; step < kSteps; ++step) {
    std::optional<Instant> next;
    const auto consider = [&](Instant time) { next = next ? std::min(*next, time) : time; };
    for (const auto& flight : flights_) consider(flight.arrives);
    for (const Side* const side : {&client, &gateway}) {
      if (const auto timeout = side->agent.poll_timeout()) consider(*timeout);
    }
    if (!next || *next > end) {
      now_ = end;
      return;
    }
    now_ = std::max(now_, *next);
    deliver_due();
    for (Side* const side : {&client, &gateway}) {
      const auto timeout = side->agent.poll_timeout();
      if (!timeout || *timeout > now_) continue;
      side->agent.handle_timeout(now_);
      settle(*side);
    }
  }
  std::abort();
}

void VirtualNetwork::settle(Side& side) {
  for (auto& one : side.drain(now_)) {
    if (loses(one)) continue;
    Side& other = &side == &client ? gateway : client;
    const Endpoint source = strays(one).value_or(outside(one.transmit.source));
    flights_.push_back({now_ + delay, &other, source, one.transmit.destination, std::move(one.bytes)});
  }
}

void VirtualNetwork::deliver_due() {
  std::vector<Flight> due;
  std::erase_if(flights_, [&](Flight& flight) {
    if (flight.arrives > now_) return false;
    due.push_back(std::move(flight));
    return true;
  });
  for (const auto& flight : due) {
    const auto view = stun::MessageView::parse(flight.bytes);
    if (!view || !flight.receiver->agent.accepts(*view)) continue;
    flight.receiver->agent.handle_binding(now_, flight.source, inside(flight.destination), *view);
    settle(*flight.receiver);
  }
}

Endpoint VirtualNetwork::outside(const Endpoint& inside) const {
  const auto found = nat.find(inside);
  return found == nat.end() ? inside : found->second;
}

Endpoint VirtualNetwork::inside(const Endpoint& outside) const {
  if (const auto only = inward.find(outside); only != inward.end()) return only->second;
  const auto found = std::ranges::find(nat, outside, &std::pair<const Endpoint, Endpoint>::second);
  return found == nat.end() ? outside : found->first;
}

}  // namespace fireline::ice
