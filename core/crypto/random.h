// Random bytes as an argument, so that a simulation runs from one seed. Threads: as the implementation says.
#pragma once
#include "core/base/wire.h"

namespace fireline::crypto {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(Bytes bytes) noexcept = 0;

  [[nodiscard]] std::uint32_t u32() noexcept {
    std::byte bytes[4];
    fill(bytes);
    return load_le32(bytes, 0);
  }
};

// libsodium's generator; safe from any thread.
class SystemRandom final : public Random {
 public:
  void fill(Bytes bytes) noexcept override;
};

}  // namespace fireline::crypto
