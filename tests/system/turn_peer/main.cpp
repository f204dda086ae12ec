// One TURN allocation over UDP sockets, driven by lines, so that a scenario can set it against a foreign server.
// usage: system_turn_peer [--unsigned-errors] USER PASSWORD LOCAL SERVER [LOCAL SERVER]
//   LOCAL and SERVER are ADDRESS:PORT of one family; the second pair is of the other one.
// stdin:  "send PEER TEXT" through a channel, which the first one starts; "refresh", "counters". Its end ends the
// program. stdout: "added KIND ADDRESS", "invalidated KIND ADDRESS", "discarded REASON", "sent PEER", "data PEER TEXT",
//         "counters NAME=VALUE …", also at the end.
#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/stun/channel_data.h"
#include "core/turn/allocation.h"
#include "tests/system/line_peer.h"

using namespace fireline;
using namespace fireline::test;
using io::read_clocks;

namespace {

Endpoint endpoint(std::string_view text) {
  const auto parsed = Endpoint::parse(text);
  if (!parsed) fail("no address and port: " + std::string(text));
  return *parsed;
}

class Peer {
 public:
  Peer(const turn::RelayAddresses& servers, const turn::Credentials& credentials,
       const turn::AllocationOptions& options, std::vector<Socket> sockets)
      : sockets_(std::move(sockets)), allocation_(read_clocks(), servers, credentials, options, random_, counters_) {
    drain();
  }

  void run() {
    while (lines_.wait(sockets_, allocation_.poll_timeout(), [this](std::string_view line) { obey(line); })) {
      for (const auto& one : sockets_) receive(one);
      const Now now = read_clocks();
      if (const auto timeout = allocation_.poll_timeout(); timeout && *timeout <= now.boot) {
        allocation_.handle_timeout(now);
      }
      drain();
    }
    print_counters(counters_);
  }

 private:
  void obey(std::string_view line) {
    constexpr std::string_view kSend = "send ";
    if (line.starts_with(kSend)) {
      line.remove_prefix(kSend.size());
      const auto space = line.find(' ');
      if (space == std::string_view::npos) fail("send PEER TEXT");
      send_data(endpoint(line.substr(0, space)), line.substr(space + 1));
    } else if (line == "refresh") {
      allocation_.refresh(read_clocks());
      drain();
    } else if (line == "counters") {
      print_counters(counters_);
    } else {
      fail("unknown line: " + std::string(line));
    }
  }

  void send_data(const Endpoint& peer, std::string_view text) {
    const auto channel = allocation_.channel_for(read_clocks(), peer);
    drain();
    if (!channel) return;
    std::vector<std::byte> datagram(stun::kChannelHeaderBytes + text.size());
    stun::write_channel_header(datagram, *channel, static_cast<std::uint16_t>(text.size()));
    std::memcpy(datagram.data() + stun::kChannelHeaderBytes, text.data(), text.size());
    send(allocation_.server().value(), datagram);
    std::printf("sent %s\n", peer.to_string().c_str());
    std::fflush(stdout);
  }

  void receive(const Socket& one) {
    receive_all(one, [&](const Endpoint& source, ConstBytes datagram) {
      if (!allocation_.servers().contains(source)) return;
      if (stun::kind_of(datagram) == stun::DatagramKind::channel_data) {
        print_data(allocation_.unwrap(read_clocks(), datagram));
      } else {
        allocation_.handle_response(read_clocks(), source, one.local, datagram);
      }
      drain();
    });
  }

  static void print_data(const std::optional<turn::ChannelPayload>& data) {
    if (!data) return;
    std::printf("data %s %s\n", data->peer.to_string().c_str(), text_of(data->payload).c_str());
  }

  void drain() {
    std::array<std::byte, turn::kMaxRequestBytes> out;
    while (const auto transmit = allocation_.poll_transmit(out)) {
      send(transmit->destination, ConstBytes(out).first(transmit->bytes));
    }
    while (const auto event = allocation_.poll_event()) {
      if (event->kind == turn::EventKind::discarded) {
        std::printf("discarded %s\n", std::string(name_of(event->reason)).c_str());
        continue;
      }
      std::printf("%s %s %s\n", event->kind == turn::EventKind::candidate_added ? "added" : "invalidated",
                  std::string(name_of(event->candidate.kind)).c_str(), event->candidate.address.to_string().c_str());
    }
    std::fflush(stdout);
  }

  void send(const Endpoint& destination, ConstBytes bytes) {
    for (const auto& one : sockets_) {
      if (one.local.address.family() == destination.address.family()) send_from(one, destination, bytes);
    }
  }

  std::vector<Socket> sockets_;
  crypto::SystemRandom random_;
  Counters<turn::TurnCounter> counters_;
  turn::Allocation allocation_;
  Lines lines_;
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  turn::AllocationOptions options;
  if (!arguments.empty() && arguments.front() == "--unsigned-errors") {
    options.accept_unsigned_errors = true;
    arguments.erase(arguments.begin());
  }
  if (arguments.size() != 4 && arguments.size() != 6) fail("usage: USER PASSWORD LOCAL SERVER [LOCAL SERVER]");
  turn::RelayAddresses servers;
  std::vector<Socket> sockets;
  for (std::size_t i = 2; i < arguments.size(); i += 2) {
    sockets.push_back(open_socket(endpoint(arguments[i])));
    const Endpoint server = endpoint(arguments[i + 1]);
    (server.address.is_v4() ? servers.v4 : servers.v6) = server;
  }
  Peer(servers, turn::Credentials(arguments[0], arguments[1]), options, std::move(sockets)).run();
}
