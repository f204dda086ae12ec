#include "io/http.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <string>

namespace fireline::io {
namespace {

using namespace std::chrono_literals;

HttpResponse page(std::string_view path) {
  if (path == "/metrics") return {.status = 200, .content_type = "text/plain; version=0.0.4", .body = "up 1\n"};
  return {.status = 404, .body = "not here\n"};
}

std::string ask(std::string_view request, bool loopback, bool ended = false) {
  const HttpHandler handler = page;
  const auto session = make_http_session(only_get(handler), loopback);
  SecretBuffer output;
  (void)session->take(request, ended, output);
  return std::string(view(output));
}

TEST(Http, AnswersAndRefuses) {
  struct Row {
    const char* rule;
    bool loopback;
    std::string request;
    const char* status_line;
  };
  const std::string get = "GET /metrics HTTP/1.1\r\n";
  const std::string local = "Host: 127.0.0.1:9100\r\n";
  const Row rows[] = {
      {"a GET is answered", true, get + local + "\r\n", "HTTP/1.1 200 OK"},
      {"a query is not part of the path", true, "GET /metrics?x=1 HTTP/1.1\r\n" + local + "\r\n", "HTTP/1.1 200 OK"},
      {"HTTP/1.0 is answered as well", true, "GET /metrics HTTP/1.0\r\n" + local + "\r\n", "HTTP/1.1 200 OK"},
      {"an unknown path is the handler's matter", true, "GET / HTTP/1.1\r\n" + local + "\r\n",
       "HTTP/1.1 404 Not Found"},
      {"localhost is a loopback literal", true, get + "Host: LocalHost:1\r\n\r\n", "HTTP/1.1 200 OK"},
      {"so is [::1]", true, get + "Host: [::1]\r\n\r\n", "HTTP/1.1 200 OK"},
      {"a name that DNS points here is refused", true, get + "Host: evil.example:9100\r\n\r\n",
       "HTTP/1.1 403 Forbidden"},
      {"another address as Host is refused", true, get + "Host: 192.0.2.1\r\n\r\n", "HTTP/1.1 403 Forbidden"},
      {"no Host in HTTP/1.0 is no loopback literal", true, "GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 403 Forbidden"},
      {"an Origin is refused", true, get + local + "Origin: http://127.0.0.1:9100\r\n\r\n", "HTTP/1.1 403 Forbidden"},
      {"an Origin is refused on other addresses, too", false, get + "Host: a\r\nOrigin: null\r\n\r\n",
       "HTTP/1.1 403 Forbidden"},
      {"on other addresses any Host will do", false, get + "Host: gateway.example\r\n\r\n", "HTTP/1.1 200 OK"},
      {"HTTP/1.1 needs a Host", false, get + "\r\n", "HTTP/1.1 400 Bad Request"},
      {"two Hosts are one too many", false, get + "Host: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400 Bad Request"},
      {"POST is refused", true, "POST /metrics HTTP/1.1\r\n" + local + "Content-Length: 0\r\n\r\n",
       "HTTP/1.1 405 Method Not Allowed"},
      {"a HEAD is a GET", true, "HEAD /metrics HTTP/1.1\r\n" + local + "\r\n", "HTTP/1.1 200 OK"},
      {"with its errors", true, "HEAD / HTTP/1.1\r\n" + local + "\r\n", "HTTP/1.1 404 Not Found"},
      {"methods are told apart by case", true, "head /metrics HTTP/1.1\r\n" + local + "\r\n",
       "HTTP/1.1 405 Method Not Allowed"},
      {"garbage is refused", true, "\x16\x03\x01 hello\r\n\r\n", "HTTP/1.1 400 Bad Request"},
      {"a header line without a colon is refused", true, get + "Host\r\n\r\n", "HTTP/1.1 400 Bad Request"},
      {"a header that never ends is refused", true, get + "X: " + std::string(kHttpHeaderBytesMax, 'x'),
       "HTTP/1.1 431 Request Header Fields Too Large"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto answer = ask(row.request, row.loopback);
    EXPECT_EQ(answer.substr(0, answer.find("\r\n")), row.status_line);
  }
}

TEST(Http, WritesWholeResponses) {
  EXPECT_EQ(ask("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", true),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: 5\r\n"
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\nup 1\n");
}

// RFC 9110 section 9.3.2: the header of the GET, no content.
TEST(Http, AHeadHasTheHeaderAlone) {
  for (const char* path : {"/metrics", "/nowhere"}) {
    const std::string rest = std::string(path) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    const auto get = ask("GET " + rest, true);
    EXPECT_EQ(ask("HEAD " + rest, true), get.substr(0, get.find("\r\n\r\n") + 4)) << path;
  }
  const auto refused = ask("HEAD /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", true);
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 403 ")) << refused;
  EXPECT_TRUE(refused.ends_with("\r\n\r\n")) << refused;
}

TEST(Http, NamesTheMethodsThatThereAre) {
  EXPECT_NE(ask("PUT /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", true).find("\r\nAllow: GET, HEAD\r\n"),
            std::string::npos);
}

TEST(Http, WaitsForTheWholeHeader) {
  EXPECT_EQ(ask("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n", true), "");
}

TEST(Http, LoopbackHosts) {
  struct Row {
    const char* host;
    bool loopback;
  };
  const Row rows[] = {{"127.0.0.1", true},
                      {"127.8.9.10:80", true},
                      {"localhost", true},
                      {"[::1]:9100", true},
                      {"[::1]", true},
                      {"", false},
                      {"::1", false},
                      {"localhost.", false},
                      {"localhost.evil.example", false},
                      {"127.0.0.1.evil", false},
                      {"127.0.0.1:", false},
                      {"127.0.0.1:99999", false},
                      {"[127.0.0.1]", false},
                      {"[::1", false},
                      {"2130706433", false},
                      {"0.0.0.0", false},
                      {"[::ffff:8.8.8.8]", false}};
  for (const Row& row : rows) EXPECT_EQ(is_loopback_host(row.host), row.loopback) << row.host;
}

TEST(HttpServer, ServesOverTcp) {
  auto loop = EventLoop::make().value();
  const auto server = HttpServer::listen(*loop, Endpoint{*IpAddress::parse("127.0.0.1"), 0, 0}, page).value();
  ASSERT_NE(server->endpoint().port, 0);
  const FileDescriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server->endpoint().port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  constexpr std::string_view kRequest = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  ASSERT_EQ(::send(client.get(), kRequest.data(), kRequest.size(), 0), static_cast<ssize_t>(kRequest.size()));
  std::string answer;
  bool ended = false;
  for (int i = 0; i < 12000 && !ended; ++i) {
    loop->turn(5ms);
    char chunk[4096];
    const auto bytes = ::recv(client.get(), chunk, sizeof(chunk), MSG_DONTWAIT);
    if (bytes > 0) answer.append(chunk, static_cast<std::size_t>(bytes));
    ended = bytes == 0;
  }
  EXPECT_TRUE(ended) << "one request per connection";
  EXPECT_TRUE(answer.ends_with("\r\n\r\nup 1\n")) << answer;

  const auto taken = HttpServer::listen(*loop, server->endpoint(), page);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error(), std::errc::address_in_use);
}

}  // namespace
}  // namespace fireline::io
