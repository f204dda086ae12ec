// Stream sockets with a name in the file system. Threads: any; a listener belongs to one thread.
// Errors: errno values as std::error_code; errc::address_in_use means that a living process listens there.
#pragma once
#include <sys/stat.h>

#include <string>
#include <system_error>

#include "core/base/result.h"
#include "core/base/time.h"
#include "io/file_descriptor.h"

namespace fireline::io {

// A listening socket and its file. The file is removed with the listener, if it is still ours.
class UnixListener {
 public:
  // Creates missing directories with mode 0755 and the socket's file with `mode`. A file that a dead process left
  // behind is replaced; of two processes that replace the same file at once one may win unseen, so hold something
  // exclusive of that name (the network interface) before calling. errc::filename_too_long above 107 bytes;
  // errc::file_exists when the path is something other than a socket.
  [[nodiscard]] static Result<UnixListener, std::error_code> listen(const std::string& path, mode_t mode);

  UnixListener(UnixListener&&) noexcept = default;
  UnixListener& operator=(UnixListener&& other) noexcept;
  ~UnixListener() { close(); }

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  // The path still leads to this listener's file.
  [[nodiscard]] bool is_in_place() const noexcept;
  void close() noexcept;

 private:
  UnixListener(FileDescriptor socket, std::string path) noexcept;

  FileDescriptor socket_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// A blocking socket; connecting and every later send and receive waits for at most `patience` (then EAGAIN).
[[nodiscard]] Result<FileDescriptor, std::error_code> connect_unix(const std::string& path, Duration patience);

}  // namespace fireline::io
