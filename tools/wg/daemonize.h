// Into the background, as wireguard-go does it: the parent returns when the child is ready or has failed, with the
// child's verdict. By fork, before any thread is started.
//
//   fork_to_background() ── parent: waits for the pipe, leaves with 0, or with 1 and the child's sentence
//                        └─ child:  own session, "/" as directory, /dev/null as its three streams;
//                                   StartNotice::ready() or failed() ends the parent
// Threads: one, by its nature.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "io/file_descriptor.h"

namespace fireline::wg {

// For whoever started the program with standard streams closed: what it opens next must not take their numbers, since
// whatever is printed, and the streams of the background process, would land in it.
void fill_standard_streams() noexcept;

// Tells whoever started the program how the start went. In the foreground that is the person: failures go to standard
// error. Dropped without a word: the parent reports a process that ended during its start.
class StartNotice {
 public:
  StartNotice() noexcept = default;  // foreground
  explicit StartNotice(io::FileDescriptor pipe) noexcept : pipe_(std::move(pipe)), background_(true) {}

  // Both once, and only one of them.
  void ready() noexcept;
  void failed(std::string_view sentence) noexcept;

 private:
  io::FileDescriptor pipe_;
  bool background_ = false;
};

// The parent's result: what to print and to leave with.
struct ParentExit {
  int code = 0;
  std::string sentence;  // for standard error when not empty
};

struct Fork {
  std::optional<ParentExit> parent;  // set in the parent alone
  StartNotice notice;                // of the child
};

// The error is one sentence.
[[nodiscard]] Result<Fork, std::string> fork_to_background();

}  // namespace fireline::wg
