#include "io/stream_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "io/unix_socket.h"
#include "tests/unit/io/temporary_directory.h"

namespace fireline::io {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBigAnswerBytes = std::size_t{4} << 20;

// Answers each line with itself, "big" with megabytes, "bye" with the end.
class EchoSession final : public StreamSession {
 public:
  Step take(std::string_view input, bool ended, SecretBuffer& output) override {
    const auto newline = input.find('\n');
    partial_ = newline == std::string_view::npos && !input.empty();
    if (newline == std::string_view::npos) return {.consumed = 0, .close = ended};
    const auto line = input.substr(0, newline + 1);
    if (line == "big\n") {
      output.resize(kBigAnswerBytes, 'x');
    } else {
      append(output, line);
    }
    return {.consumed = line.size(), .close = line == "bye\n"};
  }
  [[nodiscard]] bool is_idle() const override { return !partial_; }

 private:
  bool partial_ = false;
};

class StreamServerTest : public ::testing::Test {
 protected:
  void serve(StreamLimits limits) {
    server_.emplace(*loop_, listener_.fd(), limits, [] { return std::make_unique<EchoSession>(); });
    ASSERT_TRUE(server_->is_serving());
  }
  FileDescriptor connect() { return connect_unix(listener_.path(), 5s).value(); }
  static void send_text(const FileDescriptor& socket, std::string_view text) {
    ASSERT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Turns until the client has that many bytes or the connection's end; the bound only ends a failing test.
  std::string receive(const FileDescriptor& socket, std::size_t bytes) {
    std::string text;
    ended_ = false;
    for (int i = 0; i < 12000 && text.size() < bytes; ++i) {
      loop_->turn(5ms);
      char chunk[65536];
      const auto got = ::recv(socket.get(), chunk, sizeof(chunk), MSG_DONTWAIT);
      if (got > 0) text.append(chunk, static_cast<std::size_t>(got));
      if (got == 0 || (got < 0 && errno != EAGAIN)) {
        ended_ = true;
        break;
      }
    }
    return text;
  }
  template <class Condition>
  bool turn_until(Condition condition) {
    for (int i = 0; i < 12000 && !condition(); ++i) loop_->turn(5ms);
    return condition();
  }

  static constexpr StreamLimits kLimits{.clients_max = 4, .input_bytes = 64, .stall = 1h, .idle = 1h};
  TemporaryDirectory directory_;
  std::unique_ptr<EventLoop> loop_ = EventLoop::make().value();
  UnixListener listener_ = UnixListener::listen(directory_.path() + "/x.sock", 0600).value();
  std::optional<StreamServer> server_;
  bool ended_ = false;
};

TEST_F(StreamServerTest, AnswersSeveralRequestsOfOneConnectionInOrder) {
  serve(kLimits);
  const auto client = connect();
  send_text(client, "one\ntwo\nthr");
  EXPECT_EQ(receive(client, 8), "one\ntwo\n");
  send_text(client, "ee\nbye\nnever\n");
  EXPECT_EQ(receive(client, 100), "three\nbye\n");
  EXPECT_TRUE(ended_);
  EXPECT_EQ(server_->clients(), 0u);
}

TEST_F(StreamServerTest, AnswersARequestWhoseClientSendsNothingMore) {
  serve(kLimits);
  const auto client = connect();
  send_text(client, "one\n");
  ASSERT_EQ(::shutdown(client.get(), SHUT_WR), 0);
  EXPECT_EQ(receive(client, 100), "one\n");
  EXPECT_TRUE(ended_);
}

TEST_F(StreamServerTest, ManyPipelinedRequestsAreAllServed) {
  serve(kLimits);
  const auto client = connect();
  std::string requests;
  for (int i = 0; i < 1000; ++i) requests += std::to_string(i) + "\n";
  send_text(client, requests);
  EXPECT_EQ(receive(client, requests.size()), requests);
}

TEST_F(StreamServerTest, AClientThatDoesNotReadKeepsNobodyWaiting) {
  serve(kLimits);
  const auto lazy = connect();
  send_text(lazy, "big\nbig\n");
  const auto other = connect();
  send_text(other, "one\n");
  EXPECT_EQ(receive(other, 4), "one\n");
  EXPECT_EQ(receive(lazy, 2 * kBigAnswerBytes).size(), 2 * kBigAnswerBytes) << "nothing of its answers is lost";
}

TEST_F(StreamServerTest, AClientThatLeavesBeforeItsAnswerIsForgotten) {
  serve(kLimits);
  {
    const auto client = connect();
    send_text(client, "big\n");
    ASSERT_TRUE(turn_until([&] { return server_->clients() == 1; }));
  }
  EXPECT_TRUE(turn_until([&] { return server_->clients() == 0; }));
}

TEST_F(StreamServerTest, InputThatTheSessionDoesNotTakeEndsTheConnection) {
  serve(kLimits);
  const auto client = connect();
  send_text(client, std::string(65, 'x'));
  EXPECT_EQ(receive(client, 1), "");
  EXPECT_TRUE(ended_);
}

TEST_F(StreamServerTest, ClientsOverTheLimitWaitForAPlace) {
  serve(kLimits);
  std::vector<FileDescriptor> clients;
  for (std::size_t i = 0; i < kLimits.clients_max; ++i) clients.push_back(connect());
  ASSERT_TRUE(turn_until([&] { return server_->clients() == kLimits.clients_max; }));
  const auto waiting = connect();
  send_text(waiting, "one\n");
  loop_->turn(1ms);
  EXPECT_EQ(server_->clients(), kLimits.clients_max);
  clients.pop_back();
  EXPECT_EQ(receive(waiting, 4), "one\n");
}

TEST_F(StreamServerTest, ANewClientTakesThePlaceOfTheOneThatWaitedLongest) {
  auto limits = kLimits;
  limits.displace = true;
  serve(limits);
  std::vector<FileDescriptor> clients;
  for (std::size_t i = 0; i < kLimits.clients_max; ++i) clients.push_back(connect());
  send_text(clients[0], "hello\n");
  EXPECT_EQ(receive(clients[0], 6), "hello\n");
  for (int i = 0; i < 20; ++i) {
    clients.push_back(connect());
    send_text(clients.back(), "half a line");
    ASSERT_TRUE(turn_until([&] { return server_->displaced() == static_cast<std::uint64_t>(i) + 1; }));
    EXPECT_EQ(server_->clients(), kLimits.clients_max);
    if (i == 0) {
      EXPECT_EQ(receive(clients[1], 1), "");
      EXPECT_TRUE(ended_) << "the second one: the first had a request answered since";
      send_text(clients[0], "still there\n");
      EXPECT_EQ(receive(clients[0], 12), "still there\n");
    }
  }
  const auto probe = connect();
  send_text(probe, "one\n");
  EXPECT_EQ(receive(probe, 4), "one\n");
}

TEST_F(StreamServerTest, WhoHasAnAnswerToReadKeepsItsPlace) {
  auto limits = kLimits;
  limits.displace = true;
  serve(limits);
  std::vector<FileDescriptor> clients;
  for (std::size_t i = 0; i < kLimits.clients_max; ++i) {
    clients.push_back(connect());
    send_text(clients.back(), "big\n");
  }
  // Each sends the beginning of its answer, and then cannot go on.
  ASSERT_TRUE(turn_until([&] {
    char first = 0;
    return std::ranges::all_of(
        clients, [&](const auto& client) { return ::recv(client.get(), &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1; });
  }));
  const auto waiting = connect();
  send_text(waiting, "one\n");
  for (int i = 0; i < 10; ++i) loop_->turn(1ms);
  EXPECT_EQ(server_->displaced(), 0u);
  EXPECT_EQ(receive(clients[2], kBigAnswerBytes).size(), kBigAnswerBytes);
  EXPECT_EQ(receive(waiting, 4), "one\n") << "in the place of who has read its answer";
  EXPECT_EQ(server_->displaced(), 1u);
}

TEST_F(StreamServerTest, AStalledRequestEndsEvenIfItDripsOn) {
  serve({.clients_max = 4, .input_bytes = 4096, .stall = 1ms, .idle = 1h});
  const auto idle = connect();
  const auto slow = connect();
  send_text(slow, "h");
  EXPECT_TRUE(turn_until([&] {
    (void)::send(slow.get(), "x", 1, MSG_NOSIGNAL);
    return server_->timed_out() == 1;
  }));
  EXPECT_EQ(server_->clients(), 1u) << "between requests the longer patience applies";
}

TEST_F(StreamServerTest, AnIdleConnectionEndsAfterItsTime) {
  serve({.clients_max = 4, .input_bytes = 64, .stall = 1h, .idle = 1ms});
  const auto idle = connect();
  EXPECT_TRUE(turn_until([&] { return server_->timed_out() == 1 && server_->clients() == 0; }));
}

}  // namespace
}  // namespace fireline::io
