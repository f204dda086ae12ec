// One ICE agent over UDP sockets, driven by lines, so that a scenario can set it against a foreign one.
// usage: system_ice_peer controlling|controlled UFRAG PASSWORD PEER_UFRAG PEER_PASSWORD ADDRESS…
//   Each ADDRESS gets a socket with a port of the kernel's choice, and is a host candidate.
// stdin:  a candidate's text, "data TEXT" to send on the path in use, or "counters". Its end ends the program.
// stdout: "local CANDIDATE", "state NAME", "path SOURCE DESTINATION", "data TEXT", "counters NAME=VALUE …", also at the
//         end.
#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "core/ice/agent.h"
#include "tests/system/line_peer.h"

using namespace fireline;
using namespace fireline::test;

namespace {

Instant boot_time() {
  return io::read_clocks().boot;
}

class Peer {
 public:
  Peer(const ice::AgentSettings& settings, std::vector<Socket> sockets)
      : sockets_(std::move(sockets)), agent_(settings, random_, counters_) {
    for (const auto& one : sockets_) {
      const auto candidate = ice::Candidate::host(one.local);
      if (!candidate) fail("no candidate: " + one.local.to_string());
      const auto signal = agent_.add_local(boot_time(), *candidate);
      std::printf("local %s\n", ice::candidate_text(*signal, settings.local.ufrag()).c_str());
    }
    drain();
  }

  void run() {
    while (lines_.wait(sockets_, agent_.poll_timeout(), [this](std::string_view line) { obey(line); })) {
      for (const auto& one : sockets_) receive(one);
      if (const auto timeout = agent_.poll_timeout(); timeout && *timeout <= boot_time()) {
        agent_.handle_timeout(boot_time());
      }
      drain();
    }
    print_counters(counters_);
  }

 private:
  void obey(std::string_view line) {
    constexpr std::string_view kData = "data ";
    if (line.starts_with(kData)) {
      const auto path = agent_.path();
      if (!path) return;
      send(path->source, path->destination, std::as_bytes(std::span(line.substr(kData.size()))));
      return;
    }
    if (line == "counters") return print_counters(counters_);
    const auto text = ice::CandidateText::parse(line);
    if (!text) fail("no candidate: " + std::string(line));
    agent_.add_remote(boot_time(), *text);
    drain();
  }

  void receive(const Socket& one) {
    receive_all(one, [&](const Endpoint& source, ConstBytes datagram) {
      if (const auto message = stun::MessageView::parse(datagram)) {
        agent_.handle_binding(boot_time(), source, one.local, *message);
        drain();
      } else {
        std::printf("data %s\n", text_of(datagram).c_str());
      }
    });
  }

  void drain() {
    std::array<std::byte, ice::kTransmitBytesMax> out;
    while (const auto transmit = agent_.poll_transmit(out)) {
      send(transmit->source, transmit->destination, std::span(out).first(transmit->bytes));
    }
    while (const auto event = agent_.poll_event()) {
      if (event->kind == ice::AgentEvent::Kind::state_changed) {
        std::printf("state %s\n", std::string(name_of(event->state)).c_str());
      } else if (event->kind == ice::AgentEvent::Kind::path_changed) {
        std::printf("path %s %s\n", event->path.source.to_string().c_str(),
                    event->path.destination.to_string().c_str());
      }
    }
    std::fflush(stdout);
  }

  void send(const Endpoint& source, const Endpoint& destination, ConstBytes bytes) {
    for (const auto& one : sockets_) {
      if (one.local == source) send_from(one, destination, bytes);
    }
  }

  std::vector<Socket> sockets_;
  crypto::SystemRandom random_;
  Counters<ice::AgentCounter> counters_;
  ice::Agent agent_;
  Lines lines_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 6) fail("usage: controlling|controlled UFRAG PASSWORD PEER_UFRAG PEER_PASSWORD ADDRESS…");
  const auto local = ice::Credentials::make(arguments[1], arguments[2]);
  const auto remote = ice::Credentials::make(arguments[3], arguments[4]);
  if (!local || !remote) fail("credentials");
  const auto role = arguments[0] == "controlling" ? ice::Role::controlling : ice::Role::controlled;
  crypto::SystemRandom random;
  std::vector<Socket> sockets;
  for (std::size_t i = 5; i < arguments.size(); ++i) {
    const auto address = IpAddress::parse(arguments[i]);
    if (!address) fail("no address: " + arguments[i]);
    sockets.push_back(open_socket({*address, 0, 0}));
  }
  Peer({role, *local, *remote, random.u32()}, std::move(sockets)).run();
}
