// Portal specification 1.1, 1.5, 11.
#include "core/portal/login_url.h"

#include <gtest/gtest.h>

namespace fireline::portal {
namespace {

crypto::PublicKey counting_key() {
  crypto::PublicKey key;
  for (unsigned i = 0; i < key.bytes.size(); ++i) key.bytes[i] = static_cast<std::byte>(i);
  return key;
}

LoginIdentity client() {
  return {.role = Role::client,
          .token = crypto::SecretText("t0k"),
          .external_id = "my-device",
          .name = "box",
          .ipv4 = {},
          .ipv6 = {},
          .device_serial = {},
          .device_uuid = {},
          .public_key = counting_key()};
}

std::string target(const char* url, const LoginIdentity& identity) {
  const auto portal = PortalUrl::parse(url);
  if (!portal) return portal.error();
  return std::string(LoginUrl(*portal, identity).target());
}

// Lesson 9: 443 when the URL names no port.
TEST(PortalUrl, IsTakenApart) {
  struct Row {
    const char* rule;
    const char* url;
    bool tls;
    const char* host;
    std::uint16_t port;
    const char* path;
  };
  const Row rows[] = {
      {"the root", "wss://h/", true, "h", 443, "/client/websocket"},
      {"no path at all", "wss://h", true, "h", 443, "/client/websocket"},
      {"a path stays in front", "wss://h/base", true, "h", 443, "/base/client/websocket"},
      {"one empty segment at its end is dropped", "wss://h/base/", true, "h", 443, "/base/client/websocket"},
      {"only one", "wss://h/base//", true, "h", 443, "/base//client/websocket"},
      {"https means wss", "https://h/", true, "h", 443, "/client/websocket"},
      {"http means ws, and 443 all the same", "http://h/", false, "h", 443, "/client/websocket"},
      {"ws without port: 443", "ws://h", false, "h", 443, "/client/websocket"},
      {"a port is taken as it stands", "ws://portal.test:8081", false, "portal.test", 8081, "/client/websocket"},
      {"the scheme's own port too", "ws://h:80/", false, "h", 80, "/client/websocket"},
      {"an empty port is none", "ws://h:/", false, "h", 443, "/client/websocket"},
      {"scheme and host in any case", "WSS://API.Example/", true, "api.example", 443, "/client/websocket"},
      {"an IPv6 literal", "ws://[::1]:8081", false, "::1", 8081, "/client/websocket"},
      {"query and fragment are dropped", "wss://h/?token=x#y", true, "h", 443, "/client/websocket"},
      {"space around it is trimmed", " wss://h/\n", true, "h", 443, "/client/websocket"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto url = PortalUrl::parse(row.url);
    ASSERT_TRUE(url.has_value()) << url.error();
    EXPECT_EQ(url->tls(), row.tls);
    EXPECT_EQ(url->host(), row.host);
    EXPECT_EQ(url->port(), row.port);
    EXPECT_EQ(url->path_of(Role::client), row.path);
    EXPECT_EQ(PortalUrl::parse(url->to_string()), *url) << url->to_string();
  }
  EXPECT_TRUE(PortalUrl::parse("ws://192.0.2.1:1")->address());
  EXPECT_TRUE(PortalUrl::parse("ws://[::1]:1")->address());
  EXPECT_FALSE(PortalUrl::parse("ws://h:1")->address());
  EXPECT_EQ(PortalUrl::parse("ws://[::1]:8081/b")->to_string(), "ws://[::1]:8081/b/");
}

TEST(PortalUrl, RefusalsAreASentence) {
  struct Row {
    const char* rule;
    const char* url;
    const char* says;
  };
  const Row rows[] = {
      {"another scheme", "ftp://h/", "wss://"},
      {"no scheme", "api.example", "wss://"},
      {"nothing", "", "wss://"},
      {"no host", "wss:///x", "host"},
      {"a host with a space", "wss://a b/", "host"},
      {"a user", "wss://me:secret@h/", "user"},
      {"a port that is no number", "wss://h:x/", "port"},
      {"port zero", "wss://h:0/", "port"},
      {"a port too large", "wss://h:65536/", "port"},
      {"brackets that do not close", "wss://[::1/", "IPv6"},
      {"IPv4 in brackets", "wss://[192.0.2.1]/", "IPv6"},
      {"text behind the brackets", "wss://[::1]x/", "port"},
      {"a path with a space", "wss://h/a b", "path"},
      {"a path with a line break", "wss://h/a\nb", "path"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto url = PortalUrl::parse(row.url);
    ASSERT_FALSE(url.has_value());
    EXPECT_NE(url.error().find(row.says), std::string::npos) << url.error();
    EXPECT_EQ(url.error().find("secret"), std::string::npos);
  }
}

TEST(LoginUrl, ClientSendsItsParametersInOrder) {
  auto identity = client();
  EXPECT_EQ(target("wss://h/", identity),
            "/client/websocket?token=t0k&external_id=my-device&name=box"
            "&public_key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8%3D");
  identity.device_serial = "S 1";
  identity.device_uuid = "u";
  EXPECT_EQ(target("wss://h/", identity),
            "/client/websocket?token=t0k&external_id=my-device&name=box&device_serial=S+1&device_uuid=u"
            "&public_key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8%3D");
}

TEST(LoginUrl, GatewaySendsNoHardwareIds) {
  auto identity = client();
  identity.role = Role::gateway;
  identity.device_serial = "S";
  identity.external_id.clear();
  EXPECT_EQ(target("wss://h/", identity),
            "/gateway/websocket?token=t0k&external_id=&name=box"
            "&public_key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8%3D")
      << "an empty id is sent, so that the portal says what is wrong";
}

TEST(LoginUrl, RelaySendsItsAddresses) {
  LoginIdentity identity = client();
  identity.role = Role::relay;
  identity.name = "r1";
  identity.ipv4 = IpAddress::parse("203.0.113.50");
  identity.ipv6 = IpAddress::parse("203:0:113::50");
  EXPECT_EQ(target("ws://portal.test:8081", identity),
            "/relay/websocket?token=t0k&name=r1&ipv4=203.0.113.50&ipv6=203%3A0%3A113%3A%3A50&port=3478");
  identity.ipv6.reset();
  identity.name.clear();
  EXPECT_EQ(target("ws://portal.test:8081", identity), "/relay/websocket?token=t0k&ipv4=203.0.113.50&port=3478");
}

// Lesson 25: files and secrets end in a newline.
TEST(LoginUrl, TokensAreTrimmed) {
  auto identity = client();
  const auto expected = target("wss://h/", identity);
  identity.token = crypto::SecretText(" \tt0k\r\n");
  EXPECT_EQ(target("wss://h/", identity), expected);
}

TEST(LoginUrl, PublicKeyVector) {
  auto identity = client();
  identity.public_key.bytes.fill(std::byte{0xfe});
  identity.public_key.bytes[0] = std::byte{0xfb};
  identity.public_key.bytes[1] = std::byte{0xff};
  identity.public_key.bytes[2] = std::byte{0xbf};
  constexpr std::string_view kVector =
      "%2B%2F%2B%2F%2Fv7%2B%2Fv7%2B%2Fv7%2B%2Fv7%2B%2Fv7%2B%2Fv7%2B%2Fv7%2B%2"
      "Fv7%2B%2Fv7%2B%2Fv4%3D";
  EXPECT_TRUE(target("wss://h/", identity).ends_with("&public_key=" + std::string(kVector)));
}

// Lesson 11: another key is another login.
TEST(LoginUrl, EqualForEqualKeysAlone) {
  const auto portal = *PortalUrl::parse("wss://h/");
  auto identity = client();
  const LoginUrl first(portal, identity);
  EXPECT_EQ(first, LoginUrl(portal, identity));
  identity.public_key.bytes[0] = std::byte{1};
  EXPECT_FALSE(first == LoginUrl(portal, identity));
}

}  // namespace
}  // namespace fireline::portal
