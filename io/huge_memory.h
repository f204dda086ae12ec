// Memory for tables that are read at random and may be large (core/base/slab.h). What is a multiple of a large page
// lies on large pages where the kernel gives them away (transparent_hugepage/enabled: madvise or always), so that ten
// thousand peers need a dozen translations of addresses instead of thousands. Everything else is the heap's. Threads:
// any. Lifetime: as std::pmr::new_delete_resource(), for ever.
#pragma once
#include <cstddef>
#include <memory_resource>

namespace fireline::io {

inline constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

[[nodiscard]] std::pmr::memory_resource* huge_memory() noexcept;

// What it has given out that is not the heap's.
[[nodiscard]] std::size_t huge_memory_bytes() noexcept;

}  // namespace fireline::io
