// A process that is short of descriptors, for the time of a scope.
#pragma once
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/file_descriptor.h"

namespace fireline::io {

// Lowers the limit of open files to what is open at this moment, and `more`. UBSan opens a pipe when it meets an
// object's type for the first time, and takes it for a wrong one without: matchers and first lines of a log belong
// outside.
class FewDescriptors {
 public:
  explicit FewDescriptors(unsigned more) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const FileDescriptor next(::dup(STDIN_FILENO));  // the lowest free number
    rlimit lowered = before_;
    lowered.rlim_cur = static_cast<rlim_t>(next.get()) + more;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &lowered), 0);
  }
  ~FewDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace fireline::io
