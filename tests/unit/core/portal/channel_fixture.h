// A channel with a clock and an owner that does nothing but write down what it is told, one line per action.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/portal/channel.h"
#include "core/portal/relay_codec.h"
#include "tests/unit/core/crypto/seeded_random.h"

namespace fireline::portal {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

inline LoginUrl login_url(std::string_view portal = "wss://portal.test/", unsigned key = 0) {
  LoginIdentity identity;
  identity.token = crypto::SecretText("t0k");
  identity.external_id = "device";
  identity.public_key.bytes[0] = static_cast<std::byte>(key);
  return {*PortalUrl::parse(portal), identity};
}

class ChannelFixture : public ::testing::Test {
 protected:
  explicit ChannelFixture(ChannelOptions options = {}) : channel(std::move(options), random) {}

  void SetUp() override { now.boot += 1000s; }

  void after(Duration duration) {
    now.boot += duration;
    now.wall += duration;
  }
  // Until the channel's next timer, which then fires; how long that took.
  Duration wait_for_timer() {
    const auto due = channel.poll_timeout();
    if (!due) return Duration::max();
    const Duration waited = *due - now.boot;
    after(waited);
    channel.handle_timeout(now);
    return waited;
  }

  // What the channel wants. With `takes_writes` every text is taken by the socket at once.
  Lines actions() {
    Lines lines;
    while (const auto action = channel.poll_action()) {
      lines.push_back(describe(*action));
      if (takes_writes && std::holds_alternative<SendText>(*action)) channel.written(now);
    }
    return lines;
  }

  // As far as `joined`, with the join's ref; what happened is thrown away.
  void join(std::uint64_t ref = 0) {
    if (channel.state() == ChannelState::closed) channel.start(now, login_url());
    channel.resolved(now, true);
    channel.opened(now);
    reply(ref);
    actions();
    ASSERT_EQ(channel.state(), ChannelState::joined);
  }
  void reply(std::uint64_t ref) { channel.text(now, write_ok("client", ref)); }
  void push(std::string_view event, std::string_view payload) {
    channel.text(now, write_push("client", event, payload));
  }

  std::string describe(const ChannelAction& action) {
    if (const auto* resolve = std::get_if<Resolve>(&action)) {
      return "resolve " + resolve->host + (resolve->first ? " first" : "");
    }
    if (const auto* connect = std::get_if<Connect>(&action)) {
      target = connect->url.target();
      return "connect " + connect->url.portal().host();
    }
    if (const auto* send = std::get_if<SendText>(&action)) return "send " + std::string(send->text.view());
    if (std::holds_alternative<Drop>(action)) return "drop";
    if (std::holds_alternative<CloseGracefully>(action)) return "close gracefully";
    if (std::holds_alternative<Joined>(action)) return "joined";
    if (const auto* lost = std::get_if<Lost>(&action)) {
      delay = lost->delay;
      return "lost: " + lost->sentence;
    }
    if (const auto* message = std::get_if<Message>(&action)) {
      return message->event + " " + std::string(message->payload.view());
    }
    const auto& fatal = std::get<Fatal>(action);
    return (fatal.authentication ? "fatal login: " : "fatal: ") + fatal.sentence;
  }

  Now now{};
  crypto::SeededRandom random{1};
  Channel channel;
  bool takes_writes = true;
  Duration delay{};    // of the last loss
  std::string target;  // of the last connect
};

}  // namespace fireline::portal
