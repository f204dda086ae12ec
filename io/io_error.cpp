#include "io/io_error.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace fireline::io {
namespace {

std::string_view usual_fix(int code) {
  switch (code) {
    case EPERM:
    case EACCES:
      return "run as root or grant CAP_NET_ADMIN";
    case EMFILE:
      return "raise this process's limit of open files";
    case ENFILE:
      return "the system's table of open files is full";
    case EADDRINUSE:
      return "choose another ListenPort or stop the program that holds this one";
    default:
      return "";
  }
}

}  // namespace

std::string IoError::to_string() const {
  std::string text = "cannot ";
  text += operation;
  if (!context.empty()) text += " " + context;
  text += ": ";
  const char* description = strerrordesc_np(code);
  text += description != nullptr ? description : "unknown error";
  text += " (" + errno_name(code) + ")";
  const std::string_view advice = fix.empty() ? usual_fix(code) : std::string_view(fix);
  if (!advice.empty()) text.append(": ").append(advice);
  return text;
}

IoError last_error(const char* operation, std::string context, std::string fix) {
  return IoError{.code = errno, .operation = operation, .context = std::move(context), .fix = std::move(fix)};
}

std::string errno_name(int code) {
  const char* name = strerrorname_np(code);
  return name != nullptr ? name : "errno " + std::to_string(code);
}

}  // namespace fireline::io
