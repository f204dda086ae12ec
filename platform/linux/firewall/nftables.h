// One conversation with the kernel's firewall through libnftables, in nft(8)'s language. Lifetime: self-contained.
// Threads: one at a time; works in the calling thread's network namespace. Needs CAP_NET_ADMIN.
#pragma once
#include <memory>
#include <string>

#include "core/base/result.h"
#include "platform/linux/host_error.h"

struct nft_ctx;

namespace fireline::platform {

class Nftables {
 public:
  [[nodiscard]] static Result<Nftables, HostError> open();

  // All commands of the text in one transaction. The answer of `list` commands, or the first line of what nft says.
  [[nodiscard]] Result<std::string, std::string> run(const std::string& commands);
  // As run(), with the answer in JSON.
  [[nodiscard]] Result<std::string, std::string> run_json(const std::string& commands);

 private:
  struct Closer {
    void operator()(nft_ctx* context) const noexcept;
  };
  explicit Nftables(std::unique_ptr<nft_ctx, Closer> context) noexcept;

  std::unique_ptr<nft_ctx, Closer> context_;
};

}  // namespace fireline::platform
