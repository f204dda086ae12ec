// Reads a whole small file that an operator wrote. At start and when asked to reload; errors are one sentence.
// Any thread; no state.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/base/result.h"

namespace fireline::relay {

// A file's text, erased at the end: it may hold secrets.
struct FileText {
  std::string text;
  FileText() = default;
  FileText(FileText&&) = default;
  FileText& operator=(FileText&&) = default;
  ~FileText();
};

enum class FileAccess : std::uint8_t { any, owner_alone };

// The error begins "cannot read <what> <path>: ". More than `bytes_max` is one, and so is a file of a secret that
// others may read, unless it is a credential of systemd's.
[[nodiscard]] Result<FileText, std::string> read_text_file(const char* what, const std::string& path,
                                                           std::size_t bytes_max, FileAccess access);

}  // namespace fireline::relay
