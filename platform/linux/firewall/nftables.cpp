#include "platform/linux/firewall/nftables.h"

#include <nftables/libnftables.h>

#include <cerrno>
#include <utility>

namespace fireline::platform {

void Nftables::Closer::operator()(nft_ctx* context) const noexcept {
  nft_ctx_free(context);
}

Nftables::Nftables(std::unique_ptr<nft_ctx, Closer> context) noexcept : context_(std::move(context)) {}

Result<Nftables, HostError> Nftables::open() {
  std::unique_ptr<nft_ctx, Closer> context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context || nft_ctx_buffer_output(context.get()) != 0 || nft_ctx_buffer_error(context.get()) != 0) {
    return err(host_error(ENOMEM, "use nftables"));
  }
  return Nftables(std::move(context));
}

Result<std::string, std::string> Nftables::run(const std::string& commands) {
  const int outcome = nft_run_cmd_from_buffer(context_.get(), commands.c_str());
  std::string answer = nft_ctx_get_output_buffer(context_.get());
  std::string wrong = nft_ctx_get_error_buffer(context_.get());
  if (outcome == 0) return answer;
  // Without privilege libnftables speaks to stderr alone.
  if (wrong.empty()) return err(std::string("the kernel refuses it"));
  return err(wrong.substr(0, wrong.find('\n')));
}

Result<std::string, std::string> Nftables::run_json(const std::string& commands) {
  const unsigned flags = nft_ctx_output_get_flags(context_.get());
  nft_ctx_output_set_flags(context_.get(), flags | NFT_CTX_OUTPUT_JSON);
  auto answer = run(commands);
  nft_ctx_output_set_flags(context_.get(), flags);
  return answer;
}

}  // namespace fireline::platform
