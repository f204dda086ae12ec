#include "tools/common/shortage.h"

#include <gtest/gtest.h>

#include <new>
#include <system_error>

namespace fireline {
namespace {

TEST(Shortage, ItsSentenceNamesTheLimit) {
  const auto of = [](int code, const char* what) {
    return shortage_sentence(std::system_error(code, std::generic_category(), what));
  };
  EXPECT_EQ(of(EMFILE, "cannot create an eventfd"),
            "cannot create an eventfd: Too many open files: raise this process's limit of open files");
  EXPECT_EQ(shortage_sentence(std::runtime_error("epoll: Too many open files")),
            "epoll: Too many open files: raise this process's limit of open files");
  EXPECT_EQ(of(EAGAIN, "thread"),
            "thread: Resource temporarily unavailable: raise the limit of processes, which threads count to");
  EXPECT_EQ(of(EINVAL, "something else"), "something else: Invalid argument");
  EXPECT_EQ(shortage_sentence(std::bad_alloc()), "there is not enough memory");
}

TEST(Shortage, EndsAProgramWithOneBehindWhatItCleansUp) {
  bool cleaned = false;
  struct Cleaner {
    bool& cleaned;
    ~Cleaner() { cleaned = true; }
  };
  const auto lacking = [&cleaned]() -> int {
    const Cleaner cleaner{cleaned};
    throw std::system_error(EMFILE, std::generic_category(), "cannot create an eventfd");
  };
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_to_end("fireline-test", lacking), 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "fireline-test: cannot create an eventfd: Too many open files: raise this process's limit of open files\n");
  EXPECT_TRUE(cleaned);
  EXPECT_EQ(run_to_end("fireline-test", [] { return 7; }), 7);
}

}  // namespace
}  // namespace fireline
