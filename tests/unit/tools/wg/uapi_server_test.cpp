#include "tools/wg/uapi_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/tools/wg/fake_backend.h"
#include "tests/unit/tools/wg/running_loop.h"

namespace fireline::wg {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

const std::string kA(64, 'a');
const std::string kPeer = "public_key=" + kA + "\n";

// What a connection answers to `input`, fed in pieces of `piece` bytes, and whether it is closed then.
struct Answer {
  std::string text;
  bool closed = false;
};

Answer converse(UapiSession& session, const std::string& input, std::size_t piece, bool ended) {
  Answer answer;
  std::string waiting;
  for (std::size_t at = 0; at <= input.size() && !answer.closed; at += piece) {
    waiting += input.substr(at, piece);
    const bool last = at + piece >= input.size();
    std::size_t consumed = 0;
    do {
      io::SecretBuffer output;
      const auto step = session.take(waiting, ended && last, output);
      consumed = step.consumed;
      answer.text += io::view(output);
      answer.closed = step.close;
      waiting.erase(0, consumed);
    } while (consumed > 0 && !answer.closed);
    if (last) break;
  }
  return answer;
}

TEST(UapiSession, AnswersRequests) {
  struct Row {
    const char* rule;
    std::string input;
    bool ended;
    const char* answer;
    bool closed;
    int applied;
  };
  const Row rows[] = {
      {"a get is answered", "get=1\n\n", false, "errno=0\n\n", false, 0},
      {"a set is answered", "set=1\nlisten_port=0\n\n", false, "errno=0\n\n", false, 1},
      {"an empty set is one", "set=1\n\n", false, "errno=0\n\n", false, 1},
      {"several operations on one connection", "set=1\n\nget=1\n\nset=1\n\n", false,
       "errno=0\n\nerrno=0\n\nerrno=0\n\n", false, 2},
      {"a bad value applies nothing, and the connection goes on", "set=1\nfwmark=1\nlisten_port=x\n\nget=1\n\n", false,
       "errno=-22\n\nerrno=0\n\n", false, 0},
      {"a bad line as well", "set=1\nnonsense\nfwmark=1\n\nget=1\n\n", false, "errno=-71\n\nerrno=0\n\n", false, 0},
      {"nothing is answered before the request is complete", "set=1\nlisten_port=x\n", false, "", false, 0},
      {"the end within a set applies nothing", "set=1\nfwmark=1\n", true, "errno=-71\n\n", true, 0},
      {"the end within a line neither", "set=1\nfwmark=1", true, "errno=-71\n\n", true, 0},
      {"the end within a get", "get=1\n", true, "errno=-71\n\n", true, 0},
      {"an unknown operation ends the connection", "put=1\n\n", false, "errno=-71\n\n", true, 0},
      {"so does another version", "get=2\n\n", false, "errno=-71\n\n", true, 0},
      {"and an empty line where an operation belongs", "\n", false, "errno=-71\n\n", true, 0},
      {"get takes no lines", "get=1\nprivate_key=\n\n", false, "errno=-22\n\n", true, 0},
      {"a line without end", "set=1\n" + std::string(300, 'x'), false, "errno=-71\n\n", true, 0},
      {"a line over the limit that ends", "set=1\n" + std::string(300, 'x') + "\n\nget=1\n\n", false, "errno=-71\n\n",
       true, 0},
      {"binary garbage", std::string("\x16\x03\x01\x00\n", 5), false, "errno=-71\n\n", true, 0},
  };
  for (const Row& row : rows) {
    for (const std::size_t piece : {row.input.size(), std::size_t{1}}) {
      SCOPED_TRACE(std::string(row.rule) + ", in pieces of " + std::to_string(piece));
      FakeBackend backend;
      UapiSession session(backend);
      const auto answer = converse(session, row.input, piece, row.ended);
      EXPECT_EQ(answer.text, row.answer);
      EXPECT_EQ(answer.closed, row.closed);
      EXPECT_EQ(backend.applied, row.applied);
    }
  }
}

TEST(UapiSession, PassesTheBackendsRefusalOn) {
  FakeBackend backend;
  backend.refusal = UapiError{EADDRINUSE, "the port is taken"};
  UapiSession session(backend);
  EXPECT_EQ(converse(session, "set=1\nlisten_port=1\n\n", 100, false).text, "errno=-98\n\n");
}

TEST(UapiServer, SaysWhyItCannotStart) {
  const io::TemporaryDirectory directory;
  auto loop = io::EventLoop::make().value();
  FakeBackend backend;
  const auto start = [&](const std::string& name) {
    return UapiServer::start(*loop, backend, name, [] {}, directory.path());
  };
  const auto first = start("fake0");
  ASSERT_TRUE(first) << first.error();
  EXPECT_EQ((*first)->path(), directory.path() + "/fake0.sock");
  const auto second = start("fake0");
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error(), HasSubstr("another process serves this name"));
  std::ofstream(directory.path() + "/file0.sock") << "";
  const auto third = start("file0");
  ASSERT_FALSE(third);
  EXPECT_THAT(third.error(), HasSubstr("is no socket"));
}

TEST(UapiServer, TellsWhenItsSocketIsRemoved) {
  const io::TemporaryDirectory directory;
  auto loop = io::EventLoop::make().value();
  FakeBackend backend;
  int removed = 0;
  const auto server = UapiServer::start(*loop, backend, "fake0", [&] { ++removed; }, directory.path());
  ASSERT_TRUE(server);
  loop->turn(0s);
  EXPECT_EQ(removed, 0);
  std::filesystem::remove((*server)->path());
  loop->turn(1s);
  EXPECT_EQ(removed, 1);
}

// The wg program itself, over the directory in which it looks for userspace devices.
class WgTool : public ::testing::Test {
 protected:
  void SetUp() override {
    if (run_shell("command -v wg").code != 0) GTEST_SKIP() << "no wg: install wireguard-tools";
    auto server = UapiServer::start(*loop_, backend_, name_, [] {});
    if (!server) GTEST_SKIP() << server.error();
    server_ = std::move(*server);
    loop_.start();
  }
  void TearDown() override {
    loop_.stop();
    server_.reset();
  }
  std::string wg(const std::string& arguments) {
    const auto result = run_shell("wg " + arguments);
    EXPECT_EQ(result.code, 0) << arguments << ": " << result.text;
    return result.text;
  }
  std::string file(const std::string& text) {
    const auto path = directory_.path() + "/" + std::to_string(++files_);
    std::ofstream(path) << text;
    return path;
  }

  const std::string name_ = "flut" + std::to_string(getpid() % 1'000'000);
  io::TemporaryDirectory directory_;
  int files_ = 0;
  FakeBackend backend_{name_};
  RunningLoop loop_;
  std::unique_ptr<UapiServer> server_;
};

const std::string kPrivate = "gI6EdUSYvn8ugXOt8QQD6Yc+JyiZxIhp3GInSWRfWGE=";
const std::string kFirst = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
const std::string kSecond = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

TEST_F(WgTool, SetsAndShows) {
  wg("set " + name_ + " private-key " + file(kPrivate) + " listen-port 51820 fwmark 0x33 peer " + kFirst +
     " preshared-key " + file(kSecond) +
     " endpoint [2001:db8::1]:7 persistent-keepalive 25 allowed-ips 10.0.0.1/32,fd00::/64");
  EXPECT_EQ(wg("show " + name_ + " private-key"), kPrivate + "\n");
  EXPECT_EQ(wg("show " + name_ + " listen-port"), "51820\n");
  EXPECT_EQ(wg("show " + name_ + " fwmark"), "0x33\n");
  EXPECT_EQ(wg("show " + name_ + " preshared-keys"), kFirst + "\t" + kSecond + "\n");
  EXPECT_EQ(wg("show " + name_ + " endpoints"), kFirst + "\t[2001:db8::1]:7\n");
  EXPECT_EQ(wg("show " + name_ + " persistent-keepalive"), kFirst + "\t25\n");
  EXPECT_EQ(wg("show " + name_ + " allowed-ips"), kFirst + "\t10.0.0.1/32 fd00::/64\n");
  EXPECT_EQ(wg("show " + name_ + " latest-handshakes"), kFirst + "\t0\n");
  EXPECT_THAT(wg("show interfaces"), HasSubstr(name_));

  wg("set " + name_ + " peer " + kFirst + " allowed-ips 10.0.0.2/32 persistent-keepalive off preshared-key /dev/null");
  EXPECT_EQ(wg("show " + name_ + " allowed-ips"), kFirst + "\t10.0.0.2/32\n");
  EXPECT_EQ(wg("show " + name_ + " persistent-keepalive"), kFirst + "\toff\n");
  EXPECT_EQ(wg("show " + name_ + " preshared-keys"), kFirst + "\t(none)\n");

  wg("set " + name_ + " private-key /dev/null fwmark off peer " + kFirst + " remove");
  EXPECT_EQ(wg("show " + name_ + " peers"), "");
  EXPECT_EQ(wg("show " + name_ + " private-key"), "(none)\n");
  EXPECT_EQ(wg("show " + name_ + " fwmark"), "off\n");
}

TEST_F(WgTool, ReplacesAndSynchronisesConfigurations) {
  const auto section = [](const std::string& key, const std::string& ips) {
    return "[Peer]\nPublicKey = " + key + "\nAllowedIPs = " + ips + "\n";
  };
  const std::string device = "[Interface]\nPrivateKey = " + kPrivate + "\nListenPort = 1234\n";
  const auto both = file(device + section(kFirst, "10.0.0.1/32") + section(kSecond, "10.0.0.2/32"));
  wg("setconf " + name_ + " " + both);
  EXPECT_THAT(wg("show " + name_ + " peers"), HasSubstr(kSecond));
  const auto shown = wg("showconf " + name_);
  EXPECT_THAT(shown, HasSubstr("PrivateKey = " + kPrivate));
  EXPECT_THAT(shown, HasSubstr("ListenPort = 1234"));

  wg("addconf " + name_ + " " + file(section(kFirst, "10.0.0.9/32")));
  EXPECT_THAT(wg("show " + name_ + " allowed-ips"), HasSubstr("10.0.0.9/32"));
  wg("syncconf " + name_ + " " + file(device + section(kSecond, "10.0.0.3/32")));
  EXPECT_EQ(wg("show " + name_ + " allowed-ips"), kSecond + "\t10.0.0.3/32\n");
}

TEST_F(WgTool, ReportsOurErrnos) {
  loop_.stop();
  backend_.refusal = UapiError{EADDRINUSE, "taken"};
  loop_.start();
  const auto result = run_shell("wg set " + name_ + " listen-port 1");
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.text, HasSubstr("Address already in use"));
}

TEST_F(WgTool, SynchronisesTenThousandPeers) {
  // wg checks keys for their length alone.
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text = "[Interface]\nPrivateKey = " + kPrivate + "\n";
  for (std::size_t i = 0; i < 10'000; ++i) {
    std::string key = kFirst;
    key[0] = kAlphabet[i % 64];
    key[1] = kAlphabet[i / 64 % 64];
    key[2] = kAlphabet[i / 4096];
    text += "[Peer]\nPublicKey = " + key + "\nAllowedIPs = 10." + std::to_string(i / 65536) + "." +
            std::to_string(i / 256 % 256) + "." + std::to_string(i % 256) + "/32\nEndpoint = 192.0.2.1:51820\n";
  }
  wg("syncconf " + name_ + " " + file(text));
  const auto peers = wg("show " + name_ + " peers");
  EXPECT_EQ(std::ranges::count(peers, '\n'), 10'000);
}

}  // namespace
}  // namespace fireline::wg
