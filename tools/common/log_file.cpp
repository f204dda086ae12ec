#include "tools/common/log_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>

#include <cerrno>
#include <cstring>

#include "io/file_descriptor.h"

namespace fireline {
namespace {
constexpr mode_t kLogFileMode = 0640;
}

Result<std::shared_ptr<spdlog::sinks::sink>, std::string> open_log_file(const std::string& path) {
  // Created here for its mode, and for an errno instead of an exception.
  const io::FileDescriptor file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kLogFileMode));
  if (!file) {
    return err(
        fmt::format("cannot write the log file {}: {}: choose another with --log-file", path, std::strerror(errno)));
  }
  return std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
}

}  // namespace fireline
