#include "io/resolver.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>

#include "core/base/wire.h"
#include "io/socket_address.h"
#include "tests/unit/io/scripted_server.h"
#include "tests/unit/io/temporary_directory.h"

namespace fireline::io {
namespace {

// A DNS server that answers by record type, as long as it is told to.
class ScriptedNameserver {
 public:
  explicit ScriptedNameserver(EventLoop& loop) : loop_(loop) {
    socket_ = FileDescriptor(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    auto address = to_socket_address(*Endpoint::parse("127.0.0.1:0"));
    EXPECT_EQ(::bind(socket_.get(), address.get(), address.length), 0);
    EXPECT_EQ(::getsockname(socket_.get(), address.get(), &address.length), 0);
    endpoint_ = *to_endpoint(address.storage, address.length, Family::v4);
    watch_ = loop_.watch(socket_.get(), EPOLLIN, [this](EventLoop::Events) { answer(); });
  }
  ~ScriptedNameserver() { loop_.unwatch(watch_); }

  [[nodiscard]] const Endpoint& endpoint() const noexcept { return endpoint_; }

  std::map<Family, std::vector<IpAddress>> records;
  std::uint8_t code = 0;       // RCODE
  std::uint16_t id_error = 0;  // added to the id of a first, forged answer
  bool silent = false;
  int questions = 0;
  std::string only;                // if any, the one name that there is
  std::vector<std::string> asked;  // names of the questions for IPv4

 private:
  static std::string name_in(ConstBytes query) {
    std::string name;
    for (std::size_t at = 12; at < query.size() && query[at] != std::byte{0};) {
      const auto bytes = std::to_integer<std::size_t>(query[at]);
      if (!name.empty()) name += '.';
      for (const std::byte one : query.subspan(at + 1, bytes)) name += static_cast<char>(one);
      at += 1 + bytes;
    }
    return name;
  }
  void answer() {
    std::array<std::byte, 512> buffer{};
    SocketAddress from;
    from.length = sizeof from.storage;
    const auto bytes = ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0, from.get(), &from.length);
    if (bytes < 12) return;
    ++questions;
    if (silent) return;
    const auto query = std::span(buffer).first(static_cast<std::size_t>(bytes));
    const Family family = query[query.size() - 3] == std::byte{1} ? Family::v4 : Family::v6;
    const std::string name = name_in(query);
    if (family == Family::v4) asked.push_back(name);
    const bool there = only.empty() || name == only;
    const auto addresses = there ? records[family] : std::vector<IpAddress>();
    std::vector<std::byte> message(query.begin(), query.end());
    message[2] = std::byte{0x81};
    message[3] = std::byte{there ? code : std::uint8_t{3}};
    message[7] = static_cast<std::byte>(addresses.size());
    for (const IpAddress& address : addresses) {
      const auto data = address.bytes();
      for (const unsigned byte : {0xc0u, 0x0cu, 0u, family == Family::v4 ? 1u : 28u, 0u, 1u, 0u, 0u, 0u, 60u, 0u,
                                  static_cast<unsigned>(data.size())}) {
        message.push_back(static_cast<std::byte>(byte));
      }
      message.insert(message.end(), data.begin(), data.end());
    }
    const auto send = [&] { ::sendto(socket_.get(), message.data(), message.size(), 0, from.get(), from.length); };
    if (id_error != 0) {
      const auto id = load_be16(message, 0);
      store_be16(message, 0, static_cast<std::uint16_t>(id + id_error));
      send();
      store_be16(message, 0, id);
    }
    send();
  }

  EventLoop& loop_;
  FileDescriptor socket_;
  Endpoint endpoint_;
  EventLoop::Id watch_ = EventLoop::Id::none;
};

class ResolverTest : public ::testing::Test {
 protected:
  std::vector<std::string> ask(const std::string& host, std::vector<Endpoint> servers) {
    std::optional<std::vector<IpAddress>> answer;
    resolver_.resolve_direct(
        {.host = host, .servers = std::move(servers), .search = search_, .mark = {}, .hosts_file = hosts_},
        [&](std::vector<IpAddress> addresses) { answer = std::move(addresses); });
    EXPECT_FALSE(answer) << "never before it returns";
    EXPECT_TRUE(turn_until(*loop_, [&] { return answer.has_value(); }));
    std::vector<std::string> texts;
    for (const IpAddress& address : answer.value_or(std::vector<IpAddress>())) texts.push_back(address.to_string());
    return texts;
  }
  using Texts = std::vector<std::string>;

  TemporaryDirectory directory_;
  std::string hosts_ = directory_.path() + "/hosts";
  SearchList search_;
  std::unique_ptr<EventLoop> loop_ = EventLoop::make().value();
  ScriptedNameserver one_{*loop_};
  ScriptedNameserver two_{*loop_};
  Resolver resolver_{*loop_};
};

TEST_F(ResolverTest, AnswersOfAllServersAreMergedIpv4First) {
  one_.records = {{Family::v4, {*IpAddress::parse("192.0.2.1"), *IpAddress::parse("192.0.2.2")}},
                  {Family::v6, {*IpAddress::parse("2001:db8::1")}}};
  two_.records = {{Family::v4, {*IpAddress::parse("192.0.2.2")}}, {Family::v6, {*IpAddress::parse("2001:db8::2")}}};
  auto texts = ask("portal.test", {one_.endpoint(), two_.endpoint()});
  ASSERT_EQ(texts.size(), 4u);
  std::sort(texts.begin(), texts.end());
  EXPECT_EQ(texts, (Texts{"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"}));
  texts = ask("portal.test", {one_.endpoint()});
  EXPECT_TRUE(texts.back().starts_with("2001:")) << "IPv4 comes first";
}

TEST_F(ResolverTest, AForgedAnswerIsPassedOver) {
  one_.records = {{Family::v4, {*IpAddress::parse("192.0.2.1")}}};
  one_.id_error = 1;
  EXPECT_EQ(ask("portal.test", {one_.endpoint()}), Texts{"192.0.2.1"});
}

TEST_F(ResolverTest, AnErrorIsAnEmptyAnswer) {
  one_.code = 3;
  EXPECT_EQ(ask("portal.test", {one_.endpoint()}), Texts{});
  EXPECT_EQ(ask("portal.test", {}), Texts{}) << "no server at all";
  EXPECT_EQ(ask("not a name..", {one_.endpoint()}), Texts{});
}

TEST_F(ResolverTest, ASilentServerKeepsNobodyFromTheOthersAnswer) {
  one_.records = {{Family::v4, {*IpAddress::parse("192.0.2.1")}}};
  two_.silent = true;
  EXPECT_EQ(ask("portal.test", {two_.endpoint(), one_.endpoint()}), Texts{"192.0.2.1"});
}

TEST_F(ResolverTest, AShortNameIsLookedForInTheSearchList) {
  one_.records = {{Family::v4, {*IpAddress::parse("192.0.2.1")}}};
  one_.only = "portal.lab.test";
  search_ = {.domains = {"corp.test", "lab.test", "far.test"}, .dots = 1};
  EXPECT_EQ(ask("portal", {one_.endpoint()}), Texts{"192.0.2.1"});
  EXPECT_EQ(one_.asked, (Texts{"portal.corp.test", "portal.lab.test"}));
  one_.only = "nobody.test";
  one_.asked.clear();
  EXPECT_EQ(ask("portal.eu", {one_.endpoint()}), Texts{});
  EXPECT_EQ(one_.asked, (Texts{"portal.eu", "portal.eu.corp.test", "portal.eu.lab.test", "portal.eu.far.test"}));
}

TEST_F(ResolverTest, ServersThatAreSilentAreAskedForOneNameAlone) {
  one_.silent = true;
  search_.domains = {"corp.test"};
  EXPECT_EQ(ask("portal", {one_.endpoint()}), Texts{});
  EXPECT_EQ(one_.questions, 2) << "one for each family";
}

// As a container has it: ndots:5 and a domain for each level of the cluster.
TEST_F(ResolverTest, ASilentServerDoesNotCostItsTimeForEachName) {
  one_.records = {{Family::v4, {*IpAddress::parse("192.0.2.1")}}};
  one_.only = "portal.test";
  two_.silent = true;
  search_ = {.domains = {"a.test", "b.test", "c.test", "d.test", "e.test", "f.test"}, .dots = 5};
  EXPECT_EQ(ask("portal.test", {two_.endpoint(), one_.endpoint()}), Texts{"192.0.2.1"});
  EXPECT_EQ(one_.asked.size(), 7u);
}

TEST_F(ResolverTest, LiteralsAndTheHostsFileNeedNoServer) {
  std::ofstream(hosts_)
      << "# comment\n127.0.0.1 localhost\n192.0.2.9\tother Portal.Test # mine\n2001:db8::9 portal.test\n";
  EXPECT_EQ(ask("192.0.2.7", {one_.endpoint()}), Texts{"192.0.2.7"});
  EXPECT_EQ(ask("2001:db8::7", {one_.endpoint()}), Texts{"2001:db8::7"});
  EXPECT_EQ(ask("portal.test", {one_.endpoint()}), (Texts{"192.0.2.9", "2001:db8::9"}));
  EXPECT_EQ(one_.questions, 0);
}

TEST_F(ResolverTest, ANewQuestionEndsTheEarlierOneInSilence) {
  one_.silent = true;
  bool first = false;
  resolver_.resolve_direct(
      {.host = "a.test", .servers = {one_.endpoint()}, .search = {}, .mark = {}, .hosts_file = hosts_},
      [&](std::vector<IpAddress>) { first = true; });
  EXPECT_EQ(ask("192.0.2.7", {}), Texts{"192.0.2.7"});
  EXPECT_FALSE(first);
}

TEST_F(ResolverTest, TheSystemsResolverAnswersLater) {
  std::optional<std::vector<IpAddress>> answer;
  resolver_.resolve_system("localhost", [&](std::vector<IpAddress> addresses) { answer = std::move(addresses); });
  EXPECT_FALSE(answer);
  ASSERT_TRUE(turn_until(*loop_, [&] { return answer.has_value(); }));
  EXPECT_FALSE(answer->empty());
  resolver_.resolve_system("localhost", [&](std::vector<IpAddress>) { ADD_FAILURE() << "cancelled"; });
  resolver_.cancel();
}

TEST_F(ResolverTest, WithoutRoomForAThreadTheAnswerIsEmpty) {
  const auto blocked = [] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    std::vector<int> numbers;
    for (int number = 1; number < NSIG; ++number) {
      if (sigismember(&mask, number) == 1) numbers.push_back(number);
    }
    return numbers;
  };
  const auto before = blocked();
  pthread_attr_t usual;
  ASSERT_EQ(pthread_getattr_default_np(&usual), 0);
  pthread_attr_t huge;
  pthread_attr_init(&huge);
  ASSERT_EQ(pthread_attr_setstacksize(&huge, std::size_t{1} << 48), 0);
  ASSERT_EQ(pthread_setattr_default_np(&huge), 0);
  std::optional<std::vector<IpAddress>> answer;
  resolver_.resolve_system("localhost", [&](std::vector<IpAddress> found) { answer = std::move(found); });
  ASSERT_EQ(pthread_setattr_default_np(&usual), 0);
  pthread_attr_destroy(&usual);
  pthread_attr_destroy(&huge);
  ASSERT_TRUE(turn_until(*loop_, [&] { return answer.has_value(); }));
  EXPECT_TRUE(answer->empty());
  EXPECT_EQ(blocked(), before);
}

TEST(SearchList, IsReadFromResolvConf) {
  const struct {
    const char* rule;
    const char* text;
    std::vector<std::string> domains;
    std::size_t dots = 1;
  } kRows[] = {
      {"nothing", "nameserver 192.0.2.1\n", {}},
      {"several", "search corp.test\tlab.test. # mine\n", {"corp.test", "lab.test"}},
      {"one", "domain corp.test lab.test\n", {"corp.test"}},
      {"the last one counts", "search a.test\ndomain b.test\n", {"b.test"}},
      {"the root is none", "search .\n", {}},
      {"too many", "search a b c d e f g h\n", {"a", "b", "c", "d", "e", "f"}},
      {"dots", "options edns0 ndots:5 timeout:1\n", {}, 5},
      {"very many dots", "options ndots:99\n", {}, kDnsDotsMax},
      {"no number", "options ndots:x\noptions ndots:\n", {}},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    const SearchList list = search_list_in(row.text);
    EXPECT_EQ(list.domains, row.domains);
    EXPECT_EQ(list.dots, row.dots);
  }
}

TEST(SearchList, SaysWhatIsAskedInWhichOrder) {
  const SearchList search{.domains = {"a.test", "b.test"}, .dots = 2};
  using Names = std::vector<std::string>;
  EXPECT_EQ(names_to_ask("portal", search), (Names{"portal.a.test", "portal.b.test", "portal"}));
  EXPECT_EQ(names_to_ask("portal.eu", search), (Names{"portal.eu.a.test", "portal.eu.b.test", "portal.eu"}));
  EXPECT_EQ(names_to_ask("portal.eu.c", search), (Names{"portal.eu.c", "portal.eu.c.a.test", "portal.eu.c.b.test"}));
  EXPECT_EQ(names_to_ask("portal.", search), Names{"portal."});
  EXPECT_EQ(names_to_ask("portal", {}), Names{"portal"});
}

TEST(Nameservers, AreReadFromResolvConf) {
  const auto servers = nameservers_in(
      "# nameserver 192.0.2.1\nsearch x\nnameserver 192.0.2.2 ; mine\n"
      "nameserver\tfe80::1%3\nnameserver nonsense\nnameserver 2001:db8::1");
  ASSERT_EQ(servers.size(), 3u);
  EXPECT_EQ(servers[0].to_string(), "192.0.2.2:53");
  EXPECT_EQ(servers[1].to_string(), "[fe80::1%3]:53");
  EXPECT_EQ(servers[2].to_string(), "[2001:db8::1]:53");
  const auto zones = nameservers_in("nameserver fe80::1%lo\nnameserver fe80::1%none0\nnameserver fe80::1\n");
  ASSERT_EQ(zones.size(), 1u) << "which of them can be asked";
  EXPECT_EQ(zones[0].scope, ::if_nametoindex("lo"));
  std::string many;
  for (int i = 0; i < 100; ++i) many += "nameserver 192.0.2.1\n";
  EXPECT_EQ(nameservers_in(many).size(), kDnsServersMax);
}

}  // namespace
}  // namespace fireline::io
