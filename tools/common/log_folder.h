// The folder that a program logs to: one file for each process, BASE.YYYY-MM-DD-HH-MM-SS.log (UTC), mode 0640, made
// with the first line, and the link `latest` to it. A file that somebody removed is made anew with the next line.
// The folder may hold others' files: those of another name stay, and so does a `latest` that is no link.
//
// Old files of this name go, the oldest first, at the start and every hour, until all of them together are below
// kLogFolderBytes: never one that was written to within kLogFileSpared, and never the last (platform
// specification 5.5; it takes all *.log files). Threads: any.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace spdlog::sinks {
class sink;
}

namespace fireline {

inline constexpr std::uintmax_t kLogFolderBytes = std::uintmax_t{100} << 20;
inline constexpr std::chrono::minutes kLogFileSpared{5};

// Makes the folder where it is missing. The error is one sentence.
[[nodiscard]] Result<std::shared_ptr<spdlog::sinks::sink>, std::string> open_log_folder(const std::string& folder,
                                                                                        const std::string& base);

struct LogFileAge {
  std::filesystem::path path;
  std::uintmax_t bytes = 0;
  std::filesystem::file_time_type written;
};
// Those that have to go. Pure.
[[nodiscard]] std::vector<std::filesystem::path> superfluous_log_files(std::vector<LogFileAge> files,
                                                                       std::filesystem::file_time_type now);

}  // namespace fireline
