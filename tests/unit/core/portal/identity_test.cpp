// Device ids and user agents: portal specification 1.2, 1.3, 11; platform specification 6.5, 6.6.
#include <gtest/gtest.h>

#include "core/portal/device_identity.h"
#include "core/portal/user_agent.h"

namespace fireline::portal {
namespace {

TEST(DeviceIdentity, ExternalIdHashesUuidsAsSpelt) {
  struct Row {
    const char* rule;
    const char* id;
    const char* external;
  };
  const Row rows[] = {
      {"an upper-case UUID is hashed as it is", "EFC7A9E3-3576-4633-B633-7D47BA9E14AC",
       "2606a54a327020a1285cc141aeceb5737a91625e5e1a85c234682266f45820bf"},
      {"another upper-case UUID", "4694E56C-7643-4A15-9DF3-638E5B05F570",
       "c9cc2a8a01f9d3d6b2c26719965709196ae2c79214a837e28f0a751af1e2f2ca"},
      {"digits alone", "11111111-2222-3333-4444-555555555555",
       "666ff6ccaa5b3c07feaa3a95d3a4bd2c46ac9e9abdb09ca9133528d3dc1e8952"},
      {"32 hex digits are a UUID too", "4f8524fd33934a31a180a598f9457d80",
       "05c3f2f2c55836a4376ca0c0154d5d2d4898644c2366c64c2cc13ca6302dc701"},
      {"a name goes out unchanged", "my-device", "my-device"},
      {"64 hex digits are no UUID", "25746dc26c1cc478780348a72316d3f4c2869a29b2a4836b38bc2ad3c3d69e8c",
       "25746dc26c1cc478780348a72316d3f4c2869a29b2a4836b38bc2ad3c3d69e8c"},
      {"empty stays empty, and the portal refuses it", "", ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    EXPECT_EQ(external_id(row.id), row.external);
  }
  EXPECT_NE(external_id("efc7a9e3-3576-4633-b633-7d47ba9e14ac"), external_id("EFC7A9E3-3576-4633-B633-7D47BA9E14AC"));
  EXPECT_EQ(external_id("{11111111-2222-3333-4444-555555555555}").size(), 64u) << "braces";
  EXPECT_EQ(external_id("urn:uuid:11111111-2222-3333-4444-555555555555").size(), 64u) << "URN";
}

TEST(DeviceIdentity, DerivedFromTheMachineWithItsNewline) {
  constexpr std::string_view kFile = "0123456789abcdef0123456789abcdef\n";
  EXPECT_EQ(derived_device_id(Role::client, kFile), "25746dc26c1cc478780348a72316d3f4c2869a29b2a4836b38bc2ad3c3d69e8c");
  EXPECT_EQ(derived_device_id(Role::gateway, kFile),
            "eeefe5d1cb3807dfc3ae24794878ec3147027390d839d1d718d8e42bcfde3336");
  EXPECT_NE(derived_device_id(Role::client, kFile.substr(0, 32)), derived_device_id(Role::client, kFile));
}

TEST(DeviceIdentity, GeneratedIsTheHashOfTheText) {
  EXPECT_EQ(generated_device_id(*Uuid::parse("11111111-2222-3333-4444-555555555555")),
            "666ff6ccaa5b3c07feaa3a95d3a4bd2c46ac9e9abdb09ca9133528d3dc1e8952");
}

// Lesson 8: a kernel's name with other characters broke the upgrade.
TEST(UserAgent, KeepsTheShapeThatPortalsTakeApart) {
  struct Row {
    const char* rule;
    HostDescription host;
    Role role;
    const char* agent;
  };
  const Row rows[] = {
      {"everything known",
       {"Debian", "12.0.0", "x86_64", "6.1.0-25-amd64"},
       Role::gateway,
       "Debian/12.0.0 gateway/1.4.19 (x86_64; 6.1.0-25-amd64)"},
      {"a name may hold spaces",
       {"Alpine Linux", "3.22.1", "aarch64", "6.8"},
       Role::client,
       "Alpine Linux/3.22.1 headless-client/1.5.5 (aarch64; 6.8)"},
      {"no kernel", {"Debian", "12", "x86_64", ""}, Role::relay, "Debian/12 relay/0.1.0 (x86_64)"},
      {"no architecture", {"Debian", "12", "", "6.1"}, Role::relay, "Debian/12 relay/0.1.0 (6.1)"},
      {"neither", {"Debian", "12", "", ""}, Role::relay, "Debian/12 relay/0.1.0"},
      {"both slashes stay when nothing is known", {}, Role::client, "unknown/unknown headless-client/1.5.5"},
      {"other characters than ASCII are left out",
       {"Debiän", "12", "x86_64", "6.1-größe\r\n"},
       Role::gateway,
       "Debin/12 gateway/1.4.19 (x86_64; 6.1-gre)"},
      {"a slash in the name would end it early",
       {"GNU/Linux", "1 2/3", "", ""},
       Role::gateway,
       "GNULinux/123 gateway/1.4.19"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    EXPECT_EQ(user_agent(row.host, row.role), row.agent);
  }
}

}  // namespace
}  // namespace fireline::portal
