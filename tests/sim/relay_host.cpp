#include "tests/sim/relay_host.h"

#include <cstdlib>
#include <utility>

#include "core/stun/channel_data.h"
#include "tests/sim/clock.h"

namespace fireline::sim {
namespace {

// Longer than any simulated run: expiry of credentials is the relay's own tests' subject.
constexpr std::string_view kExpiry = "1890000000:";
// A client counts a channel's ten minutes from the answer, which it gets later than the relay gives it.
constexpr Duration kClockDifference = std::chrono::seconds(1);

}  // namespace

RelayHost::RelayHost(EventQueue& queue, Network& network, std::string id, std::size_t site, std::optional<IpAddress> v4,
                     std::optional<IpAddress> v6, Dice dice)
    : queue_(queue),
      network_(network),
      id_(std::move(id)),
      v4_(v4),
      v6_(v6),
      dice_(dice),
      host_(network.add_host(*this)) {
  network_.attach(host_, site, v4, v6);
  start(true);
}

void RelayHost::start(bool new_secret) {
  kill();
  if (new_secret) secret_ = std::string(relay::FirezoneCredentials::draw(dice_).secret());
  relay::ServerConfig config{.public_ip4 = v4_,
                             .public_ip6 = v6_,
                             .credentials = relay::FirezoneCredentials(secret_),
                             .peers = {},
                             .limits = {}};
  for (const auto& address : {v4_, v6_}) {
    if (address) config.peers.own_addresses.push_back(*address);
  }
  server_ = std::make_unique<relay::Server>(std::move(config), *this, dice_);
}

void RelayHost::kill() {
  server_.reset();
  lapses_.clear();
  binders_.clear();
  ports_.clear();
}

void RelayHost::set_powered(bool powered) {
  powered_ = powered;
  network_.set_powered(host_, powered);
}

std::vector<turn::RelayEntry> RelayHost::entries_for(std::string_view key_name) const {
  const std::string username = std::string(kExpiry) + std::string(key_name);
  const auto password = relay::FirezoneCredentials(secret_).password(username);
  std::vector<turn::RelayEntry> entries;
  for (const auto& address : {v4_, v6_}) {
    if (!address) continue;
    entries.push_back(
        {id_, turn::RelayEntryKind::turn, {*address, kRelayPort}, username, std::string(password->view())});
  }
  return entries;
}

std::optional<Instant> RelayHost::poll_timeout() const {
  return server_ ? server_->poll_timeout() : std::nullopt;
}

void RelayHost::handle_timeout() {
  if (server_) server_->handle_timeout(now());
}

bool RelayHost::is_open(const Endpoint& destination) const {
  return server_ != nullptr && (destination.port == kRelayPort || ports_.contains(destination.port));
}

void RelayHost::receive(const Train& train) {
  if (train.destination.port != kRelayPort) return forward_to_client(train);
  if (stun::kind_of(train.datagram(0)) != stun::DatagramKind::message) return forward_to_peers(train);
  asking_ = train.origin;
  for (std::size_t i = 0; i < train.count(); ++i) server_->handle_control(now(), train.source, train.datagram(i));
}

// Consecutive datagrams to one peer stay one train.
void RelayHost::forward_to_peers(const Train& train) {
  Train out;
  for (std::size_t i = 0; i < train.count(); ++i) {
    const ConstBytes datagram = train.datagram(i);
    if (datagram.size() >= stun::kChannelHeaderBytes) judge(train, load_be16(datagram, 0));
    const auto to = server_->from_client(train.source, datagram);
    if (!to) continue;
    const ConstBytes payload = datagram.subspan(stun::kChannelHeaderBytes, to->bytes);
    const Endpoint source{to->peer.address.is_v4() ? *v4_ : *v6_, to->port};
    if (out.count() != 0 && (out.source != source || out.destination != to->peer || !out.takes(payload.size()))) {
      flush(out);
    }
    out.ecn = train.ecn;
    out.source = source;
    out.destination = to->peer;
    out.append(payload, train.numbers[i]);
  }
  flush(out);
}

void RelayHost::forward_to_client(const Train& train) {
  const auto to = server_->from_peer(train.destination.port, train.source, train.bytes.size(), train.count());
  if (!to) return;
  Train out;
  out.ecn = train.ecn;
  out.source = {to->client.address.is_v4() ? *v4_ : *v6_, kRelayPort};
  out.destination = to->client;
  for (std::size_t i = 0; i < train.count(); ++i) {
    const ConstBytes payload = train.datagram(i);
    std::vector<std::byte> datagram(stun::kChannelHeaderBytes);
    stun::write_channel_header(datagram, to->channel, static_cast<std::uint16_t>(payload.size()));
    datagram.insert(datagram.end(), payload.begin(), payload.end());
    out.append(datagram, train.numbers[i]);
  }
  flush(out);
}

void RelayHost::judge(const Train& train, std::uint16_t channel) {
  const auto found = lapses_.find({train.source, channel});
  if (found == lapses_.end() || binders_[found->first] != train.origin ||
      train.sent < found->second.expired + kClockDifference)
    return;
  if (found->second.revived && train.sent >= *found->second.revived) return;
  const auto milliseconds_before = [&](Instant time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(train.sent - time).count()) + " ms";
  };
  premature_ = train.source.to_string() + " sent on channel " + std::to_string(channel) + " of " + id_ + ", " +
               milliseconds_before(found->second.expired) + " after it had expired" +
               (found->second.revived ? ", " + milliseconds_before(*found->second.revived) + " after its revival" : "");
}

void RelayHost::report(const relay::Event& event) {
  const std::pair key(event.client, event.channel);
  switch (event.kind) {
    case relay::EventKind::channel_expired:
      lapses_.insert_or_assign(key, Lapse{queue_.now(), std::nullopt});
      break;
    case relay::EventKind::channel_bound:
    case relay::EventKind::channel_refreshed:
      binders_.insert_or_assign(key, asking_);
      if (const auto found = lapses_.find(key); found != lapses_.end() && !found->second.revived) {
        found->second.revived = queue_.now();
      }
      break;
    case relay::EventKind::channel_deleted:
      lapses_.erase(key);
      break;
    default:
      break;
  }
}

void RelayHost::flush(Train& train) {
  if (train.count() != 0) network_.send(host_, std::exchange(train, Train()));
}

RelayHost::Opened RelayHost::open_port(std::uint16_t port, relay::Families) {
  return ports_.insert(port).second ? Opened::done : Opened::unusable;
}

void RelayHost::close_port(std::uint16_t port) {
  ports_.erase(port);
}

void RelayHost::send_control(const Endpoint& to, std::span<const std::byte> message) {
  Train train;
  train.source = {to.address.is_v4() ? *v4_ : *v6_, kRelayPort};
  train.destination = to;
  train.append(message, 0);
  network_.send(host_, std::move(train));
}

// Of Send indications, which --auth firezone has not.
void RelayHost::send_peer(std::uint16_t, const Endpoint&, std::span<const std::byte>) {
  std::abort();
}

Now RelayHost::now() const {
  return now_at(queue_.now());
}

}  // namespace fireline::sim
