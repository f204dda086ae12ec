#include "tools/common/log_folder.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <mutex>
#include <numeric>
#include <string_view>
#include <system_error>
#include <utility>

#include "io/file_descriptor.h"

namespace fireline {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kFileMode = 0640;
constexpr std::chrono::hours kCleanEvery{1};
constexpr const char* kLatest = "latest";

// Whether this program named it so: the folder may be /var/log, where others' files stand beside.
bool is_log_name(std::string_view name, std::string_view base) {
  constexpr std::string_view kForm = ".0000-00-00-00-00-00.log";  // 0: a digit
  if (name.size() != base.size() + kForm.size() || !name.starts_with(base)) return false;
  return std::ranges::equal(name.substr(base.size()), kForm, [](char given, char form) {
    return form == '0' ? given >= '0' && given <= '9' : given == form;
  });
}

class LogFolder final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  LogFolder(fs::path folder, std::string base) : folder_(std::move(folder)), base_(std::move(base)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const auto now = fs::file_time_type::clock::now();
    if (now - cleaned_ >= kCleanEvery) clean(now);
    if (!is_there()) open();
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::size_t written = 0;
    while (file_ && written < line.size()) {
      const auto bytes = ::write(file_.get(), line.data() + written, line.size() - written);
      if (bytes < 0 && errno != EINTR) return;  // the disk is full: standard output has the line
      if (bytes > 0) written += static_cast<std::size_t>(bytes);
    }
  }
  void flush_() override {}

  [[nodiscard]] bool is_there() const noexcept {
    struct stat about{};
    return file_ && ::fstat(file_.get(), &about) == 0 && about.st_nlink > 0;
  }
  void open() {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const auto name = fmt::format("{}.{:%Y-%m-%d-%H-%M-%S}.log", base_, fmt::gmtime(now));
    file_ = io::FileDescriptor(
        ::open((folder_ / name).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kFileMode));
    if (!file_) return;
    static_cast<void>(::fchmod(file_.get(), kFileMode));
    std::error_code ignored;
    // Anything but a link is somebody else's, and then there is no link.
    if (fs::is_symlink(folder_ / kLatest, ignored)) fs::remove(folder_ / kLatest, ignored);
    fs::create_symlink(name, folder_ / kLatest, ignored);
  }
  void clean(fs::file_time_type now) {
    cleaned_ = now;
    std::vector<LogFileAge> files;
    std::error_code ignored;
    for (fs::directory_iterator entry(folder_, ignored), end; entry != end; entry.increment(ignored)) {
      if (!is_log_name(entry->path().filename().string(), base_)) continue;
      if (entry->is_symlink(ignored) || !entry->is_regular_file(ignored)) continue;
      LogFileAge file{entry->path(), entry->file_size(ignored), {}};
      file.written = entry->last_write_time(ignored);
      if (!ignored) files.push_back(std::move(file));
    }
    for (const auto& path : superfluous_log_files(std::move(files), now)) fs::remove(path, ignored);
  }

  fs::path folder_;
  std::string base_;
  io::FileDescriptor file_;
  fs::file_time_type cleaned_ = fs::file_time_type::min() + kCleanEvery;
};

}  // namespace

Result<std::shared_ptr<spdlog::sinks::sink>, std::string> open_log_folder(const std::string& folder,
                                                                          const std::string& base) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error && ::access(folder.c_str(), W_OK | X_OK) != 0) error = {errno, std::generic_category()};
  if (error) {
    return err(fmt::format("cannot write log files to {}: {}: choose another folder", folder, error.message()));
  }
  return std::make_shared<LogFolder>(folder, base);
}

std::vector<fs::path> superfluous_log_files(std::vector<LogFileAge> files, fs::file_time_type now) {
  std::ranges::sort(files, {}, &LogFileAge::written);
  auto total = std::transform_reduce(files.begin(), files.end(), std::uintmax_t{0}, std::plus<>(),
                                     [](const LogFileAge& file) { return file.bytes; });
  std::vector<fs::path> gone;
  for (std::size_t i = 0; i + 1 < files.size() && total > kLogFolderBytes; ++i) {
    if (now - files[i].written < kLogFileSpared) break;  // all that follow are younger
    total -= files[i].bytes;
    gone.push_back(files[i].path);
  }
  return gone;
}

}  // namespace fireline
