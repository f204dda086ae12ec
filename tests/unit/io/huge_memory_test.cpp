#include "io/huge_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

namespace fireline::io {
namespace {

// The flags of the mapping that holds `place`: proc_pid_smaps(5), VmFlags; "hg" is MADV_HUGEPAGE.
std::string flags_of(const void* place) {
  std::ifstream file("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    std::istringstream words(line);
    if (words >> std::hex >> begin >> dash >> end && dash == '-') {
      const auto address = reinterpret_cast<std::uintptr_t>(place);
      inside = address >= begin && address < end;
    } else if (inside && line.starts_with("VmFlags:")) {
      return line + " ";
    }
  }
  return {};
}

TEST(HugeMemory, WholeLargePagesAreAlignedAdvisedAndGivenBack) {
  const std::size_t before = huge_memory_bytes();
  for (const std::size_t pages : {1u, 3u}) {
    const std::size_t bytes = pages * kHugePageBytes;
    void* const place = huge_memory()->allocate(bytes, 64);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(place) % kHugePageBytes, 0u);
    EXPECT_EQ(huge_memory_bytes() - before, bytes);
    std::memset(place, 0x5A, bytes);
    // A kernel without large pages has no such flag to set.
    if (std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled").good()) {
      EXPECT_NE(flags_of(place).find(" hg "), std::string::npos) << flags_of(place);
    }
    huge_memory()->deallocate(place, bytes, 64);
    EXPECT_EQ(huge_memory_bytes(), before);
  }
}

TEST(HugeMemory, TheRestIsTheHeaps) {
  const std::size_t before = huge_memory_bytes();
  for (const std::size_t bytes : {std::size_t{64}, std::size_t{4096}, kHugePageBytes - 4096, kHugePageBytes + 64}) {
    void* const place = huge_memory()->allocate(bytes, 64);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(place) % 64, 0u);
    EXPECT_EQ(huge_memory_bytes(), before);
    std::memset(place, 0x5A, bytes);
    huge_memory()->deallocate(place, bytes, 64);
  }
}

}  // namespace
}  // namespace fireline::io
