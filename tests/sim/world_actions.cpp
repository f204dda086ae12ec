// What happens to a world: its scenario's actions.
#include "tests/sim/world.h"

namespace fireline::sim {

using namespace std::chrono_literals;

void World::act(const Action& action) {
  log("-- " + scenario_.describe(action));
  switch (action.kind) {
    case ActionKind::roam:
      return roam(action);
    case ActionKind::relay_killed:
    case ActionKind::relay_vanished:
    case ActionKind::relay_returned:
    case ActionKind::relay_replaced:
      return relay_goes(action);
    case ActionKind::nat_rebooted:
      network_.reboot_nat(action.subject);
      for (const auto& relay : relays_) relay->forget_lapses();
      return disturb();
    case ActionKind::link_broken:
      return break_link(action);
    case ActionKind::upsert_repeated:  // costs nothing
      return portal_.authorize(pairs_[action.subject].client, pairs_[action.subject].gateway);
    case ActionKind::psk_changed:
      portal_.change_psk(pairs_[action.subject].client, pairs_[action.subject].gateway);
      return disturb(2s);
    case ActionKind::client_suspended:
      return suspend_client(action);
    case ActionKind::client_closes: {
      const Pair& pair = pairs_[action.subject];
      SimNode& client = *nodes_[pair.client];
      if (client.is_running() && !client.is_suspended()) client.close(portal_.id(pair.gateway));
      return disturb();
    }
    case ActionKind::gateway_restarted:
      return restart_gateway(action);
    case ActionKind::wall_jumped:  // costs nothing
      return nodes_[action.subject]->jump_wall(action.length);
    case ActionKind::peers_parted:
      network_.part(action.subject, action.other, true);
      disturb(action.length);
      if (action.length != Duration::zero()) {
        queue_.after(action.length, [this, &action] { network_.part(action.subject, action.other, false); });
      }
      return;
    case ActionKind::portal_slow:
      portal_.slow_until(queue_.now() + action.length);
      return disturb(action.length);
    case ActionKind::count_:
      break;
  }
}

// The system tells the client a little later, and the client logs in anew.
void World::roam(const Action& action) {
  SimNode& client = *nodes_[action.subject];
  if (!client.is_running() || client.is_suspended()) return;
  place(action.subject, action.other);
  const Duration notice = dice_.between(Duration(1ms), Duration(500ms));
  disturb(notice + 2s);
  queue_.after(notice, [this, index = action.subject] {
    SimNode& node = *nodes_[index];
    if (!node.is_running() || node.is_suspended()) return;
    const crypto::Key key = new_key();
    node.reset(key);
    portal_.log_out(index);
    queue_.after(dice_.between(Duration(100ms), Duration(1s)), [this, index, key] { portal_.log_in(index, key); });
  });
}

// The portal notices a closed connection soon, silence late; whoever starts logs in at once.
void World::relay_goes(const Action& action) {
  RelayHost& relay = *relays_[action.subject];
  const auto notices = [&](Duration low, Duration high) {
    const Duration delay = dice_.between(low, high);
    disturb(delay + 1s);
    queue_.after(delay, [this, index = action.subject] {
      if (!relays_[index]->is_running()) portal_.relay_lost(index);
    });
  };
  switch (action.kind) {
    case ActionKind::relay_killed:
      relay.kill();
      return notices(50ms, 2s);
    case ActionKind::relay_vanished:
      relay.set_powered(false);
      return notices(10s, 60s);
    case ActionKind::relay_returned:
      if (relay.is_running()) return;
      relay.set_powered(true);
      if (relay.server() == nullptr || action.variant % 2 == 0) relay.start(true);
      break;
    default:
      relay.set_powered(true);
      relay.start(true);
      break;
  }
  disturb(1s);
  portal_.relay_joined(action.subject);
}

void World::break_link(const Action& action) {
  const unsigned way = action.variant % 3;
  network_.set_links_up(action.subject, way == 1, way == 0);
  disturb(action.length);
  queue_.after(action.length, [this, site = action.subject] {
    network_.set_links_up(site, true, true);
    disturb();
  });
}

void World::suspend_client(const Action& action) {
  SimNode& client = *nodes_[action.subject];
  if (!client.is_running() || client.is_suspended()) return;
  client.set_suspended(true);
  disturb(action.length + 3s);
  queue_.after(action.length, [this, index = action.subject] {
    nodes_[index]->set_suspended(false);
    awake_since_[index] = queue_.now();
    nodes_[index]->resume();
    portal_.reconnect(index);
  });
}

void World::restart_gateway(const Action& action) {
  const std::size_t index = scenario_.clients.size() + action.subject;
  SimNode& gateway = *nodes_[index];
  if (!gateway.is_running()) return;
  gateway.stop(action.variant % 2 == 0);
  portal_.log_out(index);
  disturb(action.length + 2s);
  queue_.after(action.length, [this, index] {
    const crypto::Key key = new_key();
    nodes_[index]->start(key);
    portal_.log_in(index, key);
  });
}

}  // namespace fireline::sim
