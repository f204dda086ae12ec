// A device of plain values behind the control sockets: what was set is what is reported.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "tools/wg/wg_backend.h"

namespace fireline::wg {

class FakeBackend final : public WgBackend {
 public:
  explicit FakeBackend(std::string name = "fake0") : name_(std::move(name)) {}

  std::optional<UapiError> apply(const wireguard::DeviceUpdate& update) override {
    ++applied;
    if (refusal) return refusal;
    auto& device = interface.device;
    if (update.private_key) device.private_key = update.private_key;
    if (update.listen_port) interface.listen_port = *update.listen_port;
    if (update.fwmark) interface.fwmark = *update.fwmark;
    if (update.replace_peers) device.peers.clear();
    for (const auto& peer : update.peers) apply(peer);
    return std::nullopt;
  }
  InterfaceStatus status() override { return interface; }
  StatusReport report() override {
    auto made = status_report;
    made.interface_name = name_;
    return made;
  }
  void link_up() override { link_calls.push_back("up"); }
  void link_down() override { link_calls.push_back("down"); }
  void mtu_changed(std::uint16_t mtu) override { link_calls.push_back("mtu " + std::to_string(mtu)); }
  const std::string& interface_name() const override { return name_; }

  InterfaceStatus interface;
  StatusReport status_report;
  std::optional<UapiError> refusal;
  int applied = 0;
  std::vector<std::string> link_calls;

 private:
  void apply(const wireguard::PeerUpdate& update) {
    auto& peers = interface.device.peers;
    auto found = std::ranges::find(peers, update.public_key, &wireguard::PeerStatus::public_key);
    if (update.remove) {
      if (found != peers.end()) peers.erase(found);
      return;
    }
    if (found == peers.end()) {
      if (update.update_only) return;
      peers.emplace_back().public_key = update.public_key;
      found = peers.end() - 1;
    }
    if (update.preshared_key) found->preshared_key = *update.preshared_key;
    if (update.endpoint) found->endpoint = update.endpoint;
    if (update.persistent_keepalive_seconds) found->persistent_keepalive_seconds = *update.persistent_keepalive_seconds;
    if (update.replace_allowed_ips) found->allowed_ips.clear();
    for (const auto& [prefix, remove] : update.allowed_ips) {
      std::erase(found->allowed_ips, prefix);
      if (!remove) found->allowed_ips.push_back(prefix);
    }
  }

  std::string name_;
};

}  // namespace fireline::wg
