#include "platform/linux/device_id.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/unit/io/temporary_directory.h"

namespace fireline::platform {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  ASSERT_TRUE(file.flush()) << path;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

unsigned mode_of(const std::string& path) {
  struct stat about{};
  EXPECT_EQ(::stat(path.c_str(), &about), 0) << path;
  return about.st_mode & 07777;
}

struct Machine {
  io::TemporaryDirectory directory;
  std::string machine_id = directory.path() + "/machine-id";

  DeviceIdPlace place(DeviceIdPlace firezone = client_device_id_place()) const {
    return {.file = directory.path() + "/var/lib/id.json",
            .application_id = firezone.application_id,
            .machine_id_file = machine_id};
  }
  void make_directory() const { std::filesystem::create_directories(directory.path() + "/var/lib"); }
};

TEST(DeviceId, FirezonesPlacesAreTheDefaults) {
  EXPECT_EQ(client_device_id_place().file, "/var/lib/dev.firezone.client/config/firezone-id.json");
  EXPECT_EQ(gateway_device_id_place().file, "/var/lib/firezone/gateway_id");
  EXPECT_EQ(client_device_id_place().machine_id_file, "/etc/machine-id");
}

// Platform specification 6.5.
TEST(DeviceId, IsDerivedFromTheMachineIdWithItsNewline) {
  const Machine machine;
  write_file(machine.machine_id, "0123456789abcdef0123456789abcdef\n");
  const auto client = device_id(machine.place());
  ASSERT_TRUE(client);
  EXPECT_EQ(client->text, "25746dc26c1cc478780348a72316d3f4c2869a29b2a4836b38bc2ad3c3d69e8c");
  EXPECT_EQ(client->origin, DeviceIdOrigin::machine_id);
  const auto gateway = device_id(machine.place(gateway_device_id_place()));
  ASSERT_TRUE(gateway);
  EXPECT_EQ(gateway->text, "eeefe5d1cb3807dfc3ae24794878ec3147027390d839d1d718d8e42bcfde3336");
  EXPECT_FALSE(std::filesystem::exists(machine.directory.path() + "/var")) << "deriving writes nothing";
}

TEST(DeviceId, IsDerivedWhereNoDirectoryCanBeMade) {
  const Machine machine;
  write_file(machine.machine_id, "0123456789abcdef0123456789abcdef\n");
  write_file(machine.directory.path() + "/var", "a file where a directory would have to be");
  const auto id = device_id(machine.place());
  ASSERT_TRUE(id) << id.error().sentence;
  EXPECT_EQ(id->origin, DeviceIdOrigin::machine_id);
}

TEST(DeviceId, TheFileWinsWhateverItsIdLooksLikeAndItsModeIsCorrected) {
  const Machine machine;
  write_file(machine.machine_id, "0123456789abcdef0123456789abcdef\n");
  machine.make_directory();
  write_file(machine.place().file, R"({"id":"Any Form At All"})");
  ASSERT_EQ(::chmod(machine.place().file.c_str(), 0666), 0);
  const auto id = device_id(machine.place());
  ASSERT_TRUE(id);
  EXPECT_EQ(id->text, "Any Form At All");
  EXPECT_EQ(id->origin, DeviceIdOrigin::file);
  EXPECT_EQ(mode_of(machine.place().file), 0640u);
}

TEST(DeviceId, IsGeneratedOnceAndKept) {
  const Machine machine;
  const auto first = device_id(machine.place());
  ASSERT_TRUE(first) << first.error().sentence;
  EXPECT_EQ(first->origin, DeviceIdOrigin::generated);
  EXPECT_THAT(first->text, MatchesRegex("[0-9a-f]{64}"));
  EXPECT_EQ(read_file(machine.place().file), "{\"id\":\"" + first->text + "\"}");
  EXPECT_EQ(mode_of(machine.place().file), 0640u);
  EXPECT_EQ(mode_of(machine.directory.path() + "/var/lib"), 0770u);
  const auto files = std::filesystem::directory_iterator(machine.directory.path() + "/var/lib");
  EXPECT_EQ(std::distance(begin(files), end(files)), 1) << "nothing temporary is left";
  const auto second = device_id(machine.place());
  ASSERT_TRUE(second);
  EXPECT_EQ(second->text, first->text);
  EXPECT_EQ(second->origin, DeviceIdOrigin::file);
  EXPECT_NE(device_id(Machine().place())->text, first->text);
}

struct MachineIdRow {
  const char* rule;
  const char* text;
};

TEST(DeviceId, AMachineIdThatSaysNothingIsNotDerivedFrom) {
  for (const MachineIdRow& row : {MachineIdRow{"empty until the first start", ""},
                                  {"a blank line", "\n"},
                                  {"systemd's word before the first start", "uninitialized\n"}}) {
    SCOPED_TRACE(row.rule);
    const Machine machine;
    write_file(machine.machine_id, row.text);
    const auto id = device_id(machine.place());
    ASSERT_TRUE(id);
    EXPECT_EQ(id->origin, DeviceIdOrigin::generated);
  }
}

TEST(DeviceId, ABrokenFileIsAnErrorAndNoNewDevice) {
  for (const char* text : {"", "{", "[]", "{}", R"({"id":7})", R"({"id":""})", R"({"di":"x"})"}) {
    SCOPED_TRACE(text);
    const Machine machine;
    machine.make_directory();
    write_file(machine.place().file, text);
    const auto id = device_id(machine.place());
    ASSERT_FALSE(id);
    EXPECT_THAT(id.error().sentence, HasSubstr("id.json holds no JSON object"));
    EXPECT_EQ(read_file(machine.place().file), text);
  }
}

TEST(DeviceId, APlaceThatCannotBeWrittenIsNamedWithTheFix) {
  const Machine machine;
  write_file(machine.directory.path() + "/var", "a file where a directory would have to be");
  const auto id = device_id(machine.place());
  ASSERT_FALSE(id);
  EXPECT_THAT(id.error().sentence, HasSubstr("/var/lib/id.json: Not a directory: make its directory writable"));
}

}  // namespace
}  // namespace fireline::platform
