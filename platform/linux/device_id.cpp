#include "platform/linux/device_id.h"

#include <fcntl.h>
#include <simdjson.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>

#include "core/base/uuid.h"
#include "core/crypto/random.h"
#include "core/crypto/sha256.h"

namespace fireline::platform {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr auto kDirectoryMode = std::filesystem::perms(0770);
constexpr std::size_t kFileBytesMax = 4096;  // an id has some hundred; more is another file

struct Text {
  int code = 0;  // errno; 0: `bytes` is the file
  std::string bytes;
};

Text read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {errno, {}};
  std::string bytes(kFileBytesMax, '\0');
  const ssize_t count = ::read(fd, bytes.data(), bytes.size());
  const int code = count < 0 ? errno : 0;
  ::close(fd);
  bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return {code, std::move(bytes)};
}

std::string hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text.push_back(kDigits[std::to_integer<unsigned>(byte) >> 4]);
    text.push_back(kDigits[std::to_integer<unsigned>(byte) & 15]);
  }
  return text;
}

std::optional<std::string> id_in(const std::string& json) {
  simdjson::dom::parser parser;
  std::string_view id;
  if (parser.parse(json)["id"].get(id) != simdjson::SUCCESS || id.empty()) return std::nullopt;
  return std::string(id);
}

std::optional<std::string> derive(const DeviceIdPlace& place) {
  const Text machine = read_file(place.machine_id_file);
  // Images are shipped with an empty file, or with this word, until their first start.
  if (machine.code != 0 || machine.bytes.find_first_not_of(" \r\n") == std::string::npos ||
      machine.bytes.starts_with("uninitialized")) {
    return std::nullopt;
  }
  // The newline at the end is part of the message: Firezone's programs hash the file as it is.
  crypto_auth_hmacsha256_state state;
  std::array<std::byte, crypto_auth_hmacsha256_BYTES> mac;
  crypto_auth_hmacsha256_init(&state, reinterpret_cast<const unsigned char*>(place.application_id.data()),
                              place.application_id.size());
  crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(machine.bytes.data()),
                                machine.bytes.size());
  crypto_auth_hmacsha256_final(&state, reinterpret_cast<unsigned char*>(mac.data()));
  return hex(mac);
}

std::string generate() {
  std::array<std::uint8_t, 16> random;
  crypto::SystemRandom().fill(std::as_writable_bytes(std::span(random)));
  const std::string uuid = Uuid::version4(random).to_string();
  return hex(crypto::sha256({std::as_bytes(std::span(uuid))}));
}

void make_directories(const std::filesystem::path& directory) {
  std::error_code ignored;  // what is missing shows when the file is written
  if (directory.empty()) return;
  std::filesystem::create_directories(directory, ignored);
  std::filesystem::permissions(directory, kDirectoryMode, ignored);
}

// Whole or not at all, and never over a file that another start has written meanwhile. 0 or the errno.
int write_file(const std::string& path, const std::string& text) {
  std::string temporary = path + ".XXXXXX";
  const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return errno;
  int code = 0;
  if (::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()) || ::fchmod(fd, kFileMode) != 0 ||
      ::fsync(fd) != 0) {
    code = errno != 0 ? errno : EIO;
  }
  ::close(fd);
  if (code == 0 && ::link(temporary.c_str(), path.c_str()) != 0) code = errno;
  ::unlink(temporary.c_str());
  return code;
}

Result<DeviceId, HostError> use_file(const DeviceIdPlace& place, const std::string& json) {
  auto id = id_in(json);
  if (!id) {
    return err(HostError{0, "the device id file " + place.file +
                                " holds no JSON object with a text \"id\": correct it, or remove it to get a new id"});
  }
  DeviceId found{.text = std::move(*id), .origin = DeviceIdOrigin::file, .warnings = {}};
  // Older installations had other rights.
  if (::chmod(place.file.c_str(), kFileMode) != 0) {
    found.warnings.push_back(host_error(errno, "set the mode of " + place.file + " to 0640").sentence);
  }
  return found;
}

}  // namespace

DeviceIdPlace client_device_id_place() {
  return {.file = "/var/lib/dev.firezone.client/config/firezone-id.json",
          .application_id = "e1e465ce763e4759945c650ac334501f"};
}

DeviceIdPlace gateway_device_id_place() {
  return {.file = "/var/lib/firezone/gateway_id", .application_id = "753b38f9f96947ef8083802d5909a372"};
}

Result<DeviceId, HostError> device_id(const DeviceIdPlace& place) {
  const Text file = read_file(place.file);
  if (file.code == 0) return use_file(place, file.bytes);
  if (file.code != ENOENT && file.code != ENOTDIR) {
    return err(host_error(file.code, "read the device id file " + place.file));
  }
  if (auto derived = derive(place)) {
    return DeviceId{.text = std::move(*derived), .origin = DeviceIdOrigin::machine_id, .warnings = {}};
  }
  make_directories(std::filesystem::path(place.file).parent_path());
  std::string id = generate();
  const int code = write_file(place.file, "{\"id\":\"" + id + "\"}");
  if (code == EEXIST) {
    const Text other = read_file(place.file);
    if (other.code == 0) return use_file(place, other.bytes);
    return err(host_error(other.code, "read the device id file " + place.file));
  }
  if (code != 0) {
    HostError error = host_error(code, "write the device id file " + place.file);
    error.sentence += ": make its directory writable, or set FIREZONE_ID";
    return err(std::move(error));
  }
  return DeviceId{.text = std::move(id), .origin = DeviceIdOrigin::generated, .warnings = {}};
}

}  // namespace fireline::platform
