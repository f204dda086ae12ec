// The file that a program logs to. Any thread.
#pragma once
#include <memory>
#include <string>

#include "core/base/result.h"

namespace spdlog::sinks {
class sink;
}

namespace fireline {

// Appends; creates the file with mode 0640. The error is one sentence.
[[nodiscard]] Result<std::shared_ptr<spdlog::sinks::sink>, std::string> open_log_file(const std::string& path);

}  // namespace fireline
