#include "tools/tunnel/status_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fireline::tunnel {
namespace {

using Json = nlohmann::ordered_json;

TEST(StatusText, LinesThenTables) {
  const auto status = Json::parse(R"({
    "version": "1.0", "portal": "waiting", "portal_error": "no\u009b31m answer", "configured": true,
    "resources": [
      {"id": "r1", "type": "ip", "name": "Intranet", "sites": [{"id": "1", "name": "office"}, {"id": "2", "name": "lab"}], "enabled": true},
      {"id": "r2", "name": "Everything", "type": "internet", "sites": [], "enabled": false}],
    "gateways": [
      {"id": "g1", "resources": 2, "path": {"kind": "relayed", "source": "a", "destination": "192.0.2.1:5", "relay": "r1"}},
      {"id": "g2", "resources": 0},
      {"id": "g3", "resources": 1, "path": {"kind": "direct", "source": "a", "destination": "192.0.2.2:5", "relay": ""}}],
    "clients": []})");
  EXPECT_EQ(status_text(status),
            "  version       1.0\n"
            "  portal        waiting\n"
            "  portal_error  no 31m answer\n"
            "  configured    yes\n"
            "\n"
            "resources: 2\n"
            "  NAME        TYPE      SITES        ENABLED\n"
            "  Intranet    ip        office, lab  yes\n"
            "  Everything  internet               no\n"
            "\n"
            "gateways: 3\n"
            "  ID  RESOURCES  PATH\n"
            "  g1  2          relayed to 192.0.2.1:5 by relay r1\n"
            "  g2  0\n"
            "  g3  1          direct to 192.0.2.2:5\n"
            "\n"
            "clients: 0\n");
}

TEST(StatusText, OfNothingIsNothing) {
  EXPECT_EQ(status_text(Json::object()), "");
}

}  // namespace
}  // namespace fireline::tunnel
